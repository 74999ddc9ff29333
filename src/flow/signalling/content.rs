//! What a signalling message says: texts as they were sent, and the fields that join them to each other and to a call.

use std::sync::Arc;

use crate::sdp::DescriptionKind;

/// What a signal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A session description, or a fragment of one.
    Description(Description),
    /// One ICE candidate that was sent apart from a description (RFC 8838).
    Candidate(Candidate),
    /// No more candidates will come (RFC 8838 section 8.2).
    EndOfCandidates(Context),
    /// A SIP request (RFC 3261 section 7.1).
    SipRequest(Box<SipRequest>),
    /// A SIP response (RFC 3261 section 7.2).
    SipResponse(Box<SipResponse>),
    /// An HTTP request that carries signalling or acts on a resource that does: WHIP, WHEP, a JSON interface.
    HttpRequest(Box<HttpRequest>),
    /// The response to such a request.
    HttpResponse(Box<HttpResponse>),
    /// An RTSP request (RFC 2326, RFC 7826).
    RtspRequest(Box<RtspRequest>),
    /// An RTSP response.
    RtspResponse(Box<RtspResponse>),
    /// A WebSocket was opened (RFC 6455 section 4).
    WebSocketOpened(Box<WebSocketOpened>),
    /// A Close frame (RFC 6455 section 5.5.1).
    WebSocketClosed(WebSocketClosed),
    /// A TLS connection: what its ClientHello says in clear.
    Tls(Box<TlsHello>),
}

/// A session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What it is in the exchange, where the message says so.
    pub kind: Option<DescriptionKind>,
    /// The exact text as it was sent, without the escapes of JSON.
    pub sdp: String,
    /// What it belongs to.
    pub context: Context,
}

/// A trickled candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The candidate attribute as it was sent, from `candidate:` on, without `a=` (RFC 8839 section 5.1).
    pub candidate: String,
    /// The `mid` of its media description.
    pub sdp_mid: Option<String>,
    /// The index of its media description.
    pub sdp_m_line_index: Option<u32>,
    /// The ICE user fragment that it belongs to, where the message has it beside the candidate.
    pub username_fragment: Option<String>,
    /// What it belongs to.
    pub context: Context,
}

/// What tells exchanges apart that share one connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// Members of the JSON objects around the text whose names say that they identify something (`id`, `session`,
    /// `room`, `peer`, `transaction`, `handle_id` and the like) with their values, outermost first.
    pub keys: Vec<(String, String)>,
    /// The SIP dialog that carries the text.
    pub dialog: Option<Arc<Dialog>>,
    /// The HTTP resource that the text was sent to or comes from, of RTSP the URL, of a WebSocket its path.
    pub resource: Option<Arc<str>>,
}

/// What identifies a SIP message: its transaction and its dialog (RFC 3261 sections 12 and 17).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: String,
    /// The address of From, without its parameters.
    pub from: String,
    /// The tag of From.
    pub from_tag: Option<String>,
    /// The address of To, without its parameters.
    pub to: String,
    /// The tag of To; not in a request outside of a dialog.
    pub to_tag: Option<String>,
    /// The number of CSeq.
    pub cseq: Option<u32>,
    /// The method of CSeq.
    pub cseq_method: String,
    /// The branch of the topmost Via.
    pub branch: Option<String>,
}

/// A SIP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipRequest {
    /// The method.
    pub method: String,
    /// The Request-URI.
    pub uri: String,
    /// Transaction and dialog.
    pub dialog: Arc<Dialog>,
    /// Contact.
    pub contact: Option<String>,
    /// User-Agent.
    pub user_agent: Option<String>,
    /// Reason (RFC 3326): why a BYE or CANCEL was sent.
    pub reason: Option<String>,
    /// The media type of the body.
    pub content_type: Option<String>,
}

/// A SIP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipResponse {
    /// The status code, 100 to 699.
    pub status: u16,
    /// The reason phrase.
    pub phrase: String,
    /// Transaction and dialog.
    pub dialog: Arc<Dialog>,
    /// Contact.
    pub contact: Option<String>,
    /// Server or User-Agent.
    pub user_agent: Option<String>,
    /// Reason (RFC 3326).
    pub reason: Option<String>,
    /// Warning (RFC 3261 section 20.43).
    pub warning: Option<String>,
    /// The media type of the body.
    pub content_type: Option<String>,
}

/// An HTTP request of signalling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method.
    pub method: String,
    /// The request target, a query included but for its values that are credentials.
    pub target: Arc<str>,
    /// Host.
    pub host: Option<String>,
    /// The media type of the body.
    pub content_type: Option<String>,
}

/// The response to an HTTP request of signalling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The method of the request, where it was captured.
    pub method: Option<String>,
    /// The target of the request, where it was captured.
    pub target: Option<Arc<str>>,
    /// Location: of WHIP and WHEP, the URL of the session (RFC 9725 section 4.2).
    pub location: Option<String>,
    /// ETag: of WHIP, the ICE session (RFC 9725 section 4.3).
    pub etag: Option<String>,
    /// The URLs of Link headers with `rel="ice-server"` (RFC 9725 section 4.6); user names and credentials are left out.
    pub ice_servers: Vec<String>,
    /// The media type of the body.
    pub content_type: Option<String>,
}

/// An RTSP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtspRequest {
    /// The method.
    pub method: String,
    /// The request URL, without user name and password.
    pub url: Arc<str>,
    /// CSeq.
    pub cseq: Option<u32>,
    /// Session, without its parameters.
    pub session: Option<String>,
    /// The alternatives of Transport.
    pub transports: Vec<RtspTransport>,
}

/// An RTSP response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtspResponse {
    /// The status code.
    pub status: u16,
    /// The reason phrase.
    pub phrase: String,
    /// CSeq.
    pub cseq: Option<u32>,
    /// The method of the request with that CSeq, where it was captured.
    pub method: Option<String>,
    /// The URL of the request with that CSeq, where it was captured.
    pub url: Option<Arc<str>>,
    /// Session, without its parameters.
    pub session: Option<String>,
    /// What Transport says was chosen.
    pub transports: Vec<RtspTransport>,
}

/// One alternative of a Transport header (RFC 2326 section 12.39, RFC 7826 section 18.54).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RtspTransport {
    /// The specification: `RTP/AVP`, `RTP/AVP/TCP`, `RTP/SAVPF/UDP`.
    pub specification: String,
    /// `client_port`, first and last; of RTSP 2.0 the ports of `dest_addr`.
    pub client_port: Option<(u16, u16)>,
    /// `server_port`, first and last; of RTSP 2.0 the ports of `src_addr`.
    pub server_port: Option<(u16, u16)>,
    /// `interleaved`: the channels of RTP and RTCP in the connection.
    pub interleaved: Option<(u8, u8)>,
    /// `ssrc`.
    pub ssrc: Option<u32>,
}

/// A WebSocket that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketOpened {
    /// The request target.
    pub path: Arc<str>,
    /// Host.
    pub host: Option<String>,
    /// The subprotocol that the server chose, `sip` for example (RFC 7118).
    pub protocol: Option<String>,
}

/// The end of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebSocketClosed {
    /// The status code (RFC 6455 section 7.4); none where the frame is empty.
    pub code: Option<u16>,
    /// The reason.
    pub reason: String,
}

/// What a ClientHello of TLS says in clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsHello {
    /// The server name (RFC 6066 section 3).
    pub server_name: Option<String>,
    /// The application protocols offered (RFC 7301).
    pub alpn: Vec<String>,
    /// The newest version offered, as TLS writes it: 0x0303 is TLS 1.2, 0x0304 TLS 1.3.
    pub version: u16,
}

impl Content {
    /// Bytes of text that it holds: what a cap counts.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match self {
            Self::Description(description) => description.sdp.len() + description.context.text_bytes(),
            Self::Candidate(candidate) => {
                candidate.candidate.len()
                    + of(&candidate.sdp_mid)
                    + of(&candidate.username_fragment)
                    + candidate.context.text_bytes()
            }
            Self::EndOfCandidates(context) => context.text_bytes(),
            Self::SipRequest(request) => {
                let texts = [&request.contact, &request.user_agent, &request.reason, &request.content_type];
                let rest: usize = texts.into_iter().map(of).sum();
                request.method.len() + request.uri.len() + request.dialog.text_bytes() + rest
            }
            Self::SipResponse(response) => {
                let texts = [&response.contact, &response.user_agent, &response.reason, &response.warning];
                let rest: usize = texts.into_iter().map(of).sum();
                response.phrase.len() + response.dialog.text_bytes() + rest + of(&response.content_type)
            }
            Self::HttpRequest(request) => {
                request.method.len() + request.target.len() + of(&request.host) + of(&request.content_type)
            }
            Self::HttpResponse(response) => {
                let texts = [&response.method, &response.location, &response.etag, &response.content_type];
                let servers: usize = response.ice_servers.iter().map(String::len).sum();
                let target = response.target.as_ref().map_or(0, |target| target.len());
                texts.into_iter().map(of).sum::<usize>() + servers + target
            }
            Self::RtspRequest(request) => {
                let transports: usize = request.transports.iter().map(|one| one.specification.len()).sum();
                request.method.len() + request.url.len() + of(&request.session) + transports
            }
            Self::RtspResponse(response) => {
                let transports: usize = response.transports.iter().map(|one| one.specification.len()).sum();
                let url = response.url.as_ref().map_or(0, |url| url.len());
                response.phrase.len() + of(&response.method) + url + of(&response.session) + transports
            }
            Self::WebSocketOpened(opened) => opened.path.len() + of(&opened.host) + of(&opened.protocol),
            Self::WebSocketClosed(closed) => closed.reason.len(),
            Self::Tls(hello) => of(&hello.server_name) + hello.alpn.iter().map(String::len).sum::<usize>(),
        }
    }
}

impl Context {
    /// What several signals share counts with each: one of them may be all that is kept.
    fn text_bytes(&self) -> usize {
        let keys: usize = self.keys.iter().map(|(name, value)| name.len() + value.len()).sum();
        let resource = self.resource.as_ref().map_or(0, |resource| resource.len());
        keys + resource + self.dialog.as_ref().map_or(0, |dialog| dialog.text_bytes())
    }
}

impl Dialog {
    fn text_bytes(&self) -> usize {
        let texts = [&self.from_tag, &self.to_tag, &self.branch];
        let tags: usize = texts.into_iter().flatten().map(String::len).sum();
        self.call_id.len() + self.from.len() + self.to.len() + self.cseq_method.len() + tags
    }
}
