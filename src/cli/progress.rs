//! The progress bar: on a terminal, and only of work that takes more than a second.

use std::{
    sync::OnceLock,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

/// Work that is done earlier shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// How far the reading of the input is, on stderr. Any thread may report; each report costs a look at the clock.
#[derive(Debug)]
pub struct Progress {
    enabled: bool,
    since: Instant,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    /// A bar, or where it is not `enabled` nothing that can be seen.
    #[must_use]
    pub fn new(enabled: bool) -> Self {
        Self { enabled, since: Instant::now(), bar: OnceLock::new() }
    }

    /// Tells how many bytes of the input were read, of how many; `None` of a pipe.
    pub fn update(&self, bytes_read: u64, total: Option<u64>) {
        if !self.enabled || self.since.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_init(|| match total {
            Some(total) => {
                ProgressBar::new(total).with_style(style("{wide_bar} {bytes} of {total_bytes}, {eta} to go"))
            }
            None => ProgressBar::new_spinner().with_style(style("{spinner} {bytes} read, {bytes_per_sec}")),
        });
        bar.set_position(bytes_read);
    }

    /// Removes the bar: what follows is the result.
    pub fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

/// The style of a template; the plain one, should the template be wrong.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_work_shows_nothing() {
        let progress = Progress::new(true);
        progress.update(1, Some(2));
        assert!(progress.bar.get().is_none());
        progress.finish();
    }

    #[test]
    fn templates_are_sound() {
        let late = |total| {
            let progress = Progress { since: Instant::now() - 2 * PATIENCE, ..Progress::new(true) };
            progress.update(1, total);
            progress.bar.get().map(ProgressBar::position)
        };
        assert_eq!((late(Some(2)), late(None)), (Some(1), Some(1)));
        assert!(ProgressStyle::with_template("{wide_bar} {bytes} of {total_bytes}, {eta} to go").is_ok());
    }
}
