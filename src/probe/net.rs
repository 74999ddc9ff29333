//! Real sockets for a [`Plan`]: the one place where the probes meet tokio.

mod socket;
mod stop;
mod stream;

use std::{
    collections::HashMap,
    future::Future,
    io,
    pin::pin,
    time::{Duration, Instant},
};

use tokio::{runtime, sync::mpsc, task::JoinSet, time};

use self::socket::Socket;
pub use self::{
    stop::stop_signal,
    stream::{Framer, Trust},
};
use super::{Event, Failure, Plan, SocketId, Step};

/// Events on their way to a plan. What comes while so many wait is dropped, as the system does with a full buffer.
const EVENTS: usize = 4_096;

/// Where the packets go out, and whom to trust.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// The interface to use (Linux only).
    pub device: Option<String>,
    /// Whose certificates a TLS server may show.
    pub trust: Trust,
}

/// Runs `plan` on real sockets until it is done, or `stop` comes and it has nothing left to do. `watch` sees it each time before it waits. Gives back
/// how long it took.
pub async fn drive<P: Plan>(
    plan: &mut P,
    network: &Network,
    stop: impl Future<Output = ()>,
    mut watch: impl FnMut(&P, Duration),
) -> Duration {
    let began = Instant::now();
    let (sender, mut events) = mpsc::channel(EVENTS);
    let mut driver =
        Driver { network, sender: Sender { began, sender }, sockets: HashMap::new(), tasks: JoinSet::new() };
    let mut stop = pin!(stop);
    let mut stopped = false;
    loop {
        let Some(wake) = driver.advance(plan).await else { return began.elapsed() };
        watch(plan, began.elapsed());
        let asleep = time::sleep_until((began + wake).into());
        let (at, event) = tokio::select! {
            () = &mut stop, if !stopped => {
                stopped = true;
                if plan.interrupt(began.elapsed()) {
                    continue;
                }
                return began.elapsed();
            }
            Some(event) = events.recv() => event,
            () = asleep => continue,
        };
        plan.handle(at, event);
        while let Ok((at, event)) = events.try_recv() {
            plan.handle(at, event);
        }
    }
}

/// A runtime for [`drive`]: one thread.
///
/// # Errors
/// When the system gives none.
pub fn runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

/// Waits until the user asks to stop (Ctrl-C).
pub async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        // Where the system does not tell, it ends the process by itself.
        std::future::pending::<()>().await;
    }
}

struct Driver<'a> {
    network: &'a Network,
    sender: Sender,
    sockets: HashMap<SocketId, Socket>,
    tasks: JoinSet<()>,
}

impl Driver<'_> {
    /// Does what the plan wants. Gives back when to ask again; `None` when it is done.
    async fn advance<P: Plan>(&mut self, plan: &mut P) -> Option<Duration> {
        loop {
            let now = self.sender.began.elapsed();
            match plan.poll(now) {
                Step::Open(id, open) => {
                    let opened = Socket::open(id, open, self.network, &self.sender, &mut self.tasks);
                    match opened {
                        Ok(socket) => drop(self.sockets.insert(id, socket)),
                        Err(failure) => plan.handle(now, Event::Failed { socket: id, failure }),
                    }
                }
                Step::Send { socket, to, bytes } => {
                    let Some(open) = self.sockets.get(&socket) else { continue };
                    if let Err(failure) = open.send(to, bytes).await {
                        plan.handle(now, Event::Unreachable { socket, failure });
                    }
                }
                Step::Close(id) => {
                    self.sockets.remove(&id);
                }
                Step::Wait(until) => return Some(until),
                Step::Done => return None,
            }
        }
    }
}

/// Where sockets send what happens, with the time at which it did.
#[derive(Clone, Debug)]
struct Sender {
    began: Instant,
    sender: mpsc::Sender<(Duration, Event)>,
}

impl Sender {
    fn send(&self, event: Event) {
        // A full queue drops it; a closed one has nobody who would mind.
        let _ = self.sender.try_send((self.began.elapsed(), event));
    }
}

/// What the system says, in our words.
fn failure(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Failure::NoRoute,
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => Failure::Refused,
        io::ErrorKind::TimedOut => Failure::TimedOut,
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => Failure::Closed,
        io::ErrorKind::PermissionDenied => Failure::System("a local firewall refuses to send".to_owned()),
        _ => Failure::System(error.to_string()),
    }
}
