//! Being told to stop.

use std::{future::Future, io};

/// What comes when the user (Ctrl-C) or the system (SIGTERM) asks to stop. From the call on no such signal is missed,
/// nor does one end the process. To be called inside a runtime.
///
/// # Errors
/// When the system does not let signals be waited for.
#[cfg(unix)]
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupted, mut terminated) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
        }
    })
}

/// What comes when the user asks to stop. From the call on no such signal is missed, nor does one end the process. To
/// be called inside a runtime.
///
/// # Errors
/// When the system does not let signals be waited for.
#[cfg(windows)]
pub fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupted = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupted.recv().await;
    })
}
