//! Streams: TCP and TLS, and the messages in them.

use std::{
    io,
    net::{SocketAddr, TcpStream as StdTcpStream},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    time,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use super::{Sender, failure};
use crate::{
    probe::{Event, Failure, Open, SocketId, Transport},
    wire::{channel, stun},
};

/// How long a connection, and TLS on it, may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes read at a time.
const READ_BYTES: usize = 16 * 1024;

/// Whose certificates a TLS server may show.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Authorities in a PEM file, besides the system's.
    pub authorities: Option<PathBuf>,
}

impl Trust {
    /// A TLS client that trusts the system's authorities and these.
    fn connector(&self) -> Result<TlsConnector, Failure> {
        let mut roots = RootCertStore::empty();
        // One that the system has and rustls does not understand is not needed for the others.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if let Some(path) = &self.authorities {
            let unreadable = |why: String| Failure::Tls(format!("cannot read {}: {why}", path.display()));
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(error.to_string()))?;
            for certificate in certificates {
                let certificate = certificate.map_err(|error| unreadable(error.to_string()))?;
                roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Failure::Tls(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

/// Connects, and then moves messages until the stream ends.
pub(super) async fn run(
    id: SocketId,
    bound: StdTcpStream,
    open: Open,
    trust: Trust,
    outgoing: mpsc::Receiver<Vec<u8>>,
    sender: Sender,
) {
    let failure = match time::timeout(CONNECT_TIMEOUT, TcpSocket::from_std_stream(bound).connect(open.server)).await {
        Err(_) => Failure::TimedOut,
        Ok(Err(error)) => failure(&error),
        Ok(Ok(stream)) => match secure_and_move(id, stream, &open, &trust, outgoing, &sender).await {
            Err(failure) => failure,
            Ok(()) => return,
        },
    };
    sender.send(Event::Failed { socket: id, failure });
}

async fn secure_and_move(
    id: SocketId,
    stream: TcpStream,
    open: &Open,
    trust: &Trust,
    outgoing: mpsc::Receiver<Vec<u8>>,
    sender: &Sender,
) -> Result<(), Failure> {
    // Messages are small and waited for.
    stream.set_nodelay(true).map_err(|error| failure(&error))?;
    let local = stream.local_addr().map_err(|error| failure(&error))?;
    let opened = Event::Opened { socket: id, local };
    if open.transport == Transport::Tcp {
        sender.send(opened);
        return move_messages(id, stream, open.server, outgoing, sender).await;
    }
    let name = match &open.server_name {
        Some(name) => ServerName::try_from(name.clone()).map_err(|error| Failure::Tls(error.to_string()))?,
        None => ServerName::from(open.server.ip()),
    };
    let handshake = trust.connector()?.connect(name, stream);
    let stream = match time::timeout(CONNECT_TIMEOUT, handshake).await {
        Err(_) => return Err(Failure::Tls("the server did not answer the handshake".to_owned())),
        Ok(Err(error)) => return Err(Failure::Tls(error.to_string())),
        Ok(Ok(stream)) => stream,
    };
    sender.send(opened);
    move_messages(id, stream, open.server, outgoing, sender).await
}

/// Moves messages both ways. `Ok` when the plan closed the stream.
async fn move_messages(
    id: SocketId,
    stream: impl AsyncRead + AsyncWrite,
    server: SocketAddr,
    mut outgoing: mpsc::Receiver<Vec<u8>>,
    sender: &Sender,
) -> Result<(), Failure> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sending = async {
        while let Some(bytes) = outgoing.recv().await {
            writer.write_all(&bytes).await?;
            writer.flush().await?;
        }
        io::Result::Ok(())
    };
    let receiving = async {
        let mut framer = Framer::default();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let length = reader.read(&mut buffer).await.map_err(|error| failure(&error))?;
            if length == 0 {
                return Err(Failure::Closed);
            }
            framer.push(buffer.get(..length).unwrap_or_default());
            while let Some(bytes) = framer.next_message()? {
                sender.send(Event::Received { socket: id, from: server, bytes });
            }
        }
    };
    tokio::select! {
        sent = sending => sent.map_err(|error| failure(&error)),
        received = receiving => received,
    }
}

/// Cuts a stream into STUN messages and ChannelData (RFC 8656 section 12.5). Holds at most one message that is not
/// whole, which its 16-bit length bounds.
#[derive(Debug, Default)]
pub struct Framer {
    held: Vec<u8>,
    /// Whether ChannelData is refused.
    stun_only: bool,
}

impl Framer {
    /// For a stream that holds STUN messages and nothing else.
    #[must_use]
    pub const fn of_stun() -> Self {
        Self { held: Vec::new(), stun_only: true }
    }

    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next whole message, without the padding of ChannelData; `None` until more bytes come.
    ///
    /// # Errors
    /// What is held begins neither a STUN message nor ChannelData.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let Some([first, _, high, low]) = self.held.first_chunk::<4>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (length, padding) = match first >> 6 {
            0 => (stun::HEADER_LENGTH + length, 0),
            1 if !self.stun_only => (channel::HEADER_LENGTH + length, length.next_multiple_of(4) - length),
            _ => return Err(Failure::NotStun),
        };
        if self.held.len() < length + padding {
            return Ok(None);
        }
        let mut message: Vec<u8> = self.held.drain(..length + padding).collect();
        message.truncate(length);
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Binding request, ChannelData of five bytes and its padding, and a Binding request, cut at every place.
    #[test]
    fn messages_of_a_stream() {
        let binding = [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat();
        let data = [0x40, 0, 0, 5, 1, 2, 3, 4, 5];
        let stream = [&binding[..], &data, &[0; 3], &binding].concat();
        for cut in 0..stream.len() {
            let mut framer = Framer::default();
            let mut found = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                framer.push(part);
                while let Some(message) = framer.next_message().unwrap() {
                    found.push(message);
                }
            }
            assert_eq!(found, [binding.clone(), data.to_vec(), binding.clone()], "cut at {cut}");
        }
    }

    #[test]
    fn other_streams_are_refused() {
        let mut framer = Framer::default();
        framer.push(b"\x80HTTP");
        assert_eq!(framer.next_message(), Err(Failure::NotStun));
        let mut framer = Framer::of_stun();
        framer.push(b"GET /");
        assert_eq!(framer.next_message(), Err(Failure::NotStun));
    }
}
