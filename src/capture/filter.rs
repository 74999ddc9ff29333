//! BPF filters, compiled by libpcap for each link type.

use super::{LinkType, OpenError};

use program::Program;

/// A filter expression (pcap-filter(7)) and its programs.
pub(super) struct Filter {
    expression: String,
    programs: Vec<(LinkType, Option<Program>)>,
}

impl Filter {
    /// Compiles `expression` for the link types known so far, which may be none. An expression may make no sense on
    /// one of them (`wlan addr1` on Ethernet); it is refused where it makes sense on none.
    pub fn new(expression: &str, links: &[LinkType]) -> Result<Self, OpenError> {
        let expression = expression.to_owned();
        if !cfg!(feature = "pcap") {
            return Err(OpenError::FilterUnavailable { expression });
        }
        let links = if links.is_empty() { &[LinkType::ETHERNET] } else { links };
        let mut programs = Vec::with_capacity(links.len());
        let mut first_message = None;
        for link in links {
            match Program::compile(*link, &expression) {
                Ok(program) => programs.push((*link, Some(program))),
                Err(message) => {
                    programs.push((*link, None));
                    first_message.get_or_insert(message);
                }
            }
        }
        match first_message {
            Some(message) if programs.iter().all(|(_, program)| program.is_none()) => {
                Err(OpenError::Filter { expression, message })
            }
            _ => Ok(Self { expression, programs }),
        }
    }

    /// Whether a frame of that link type passes; `None` where the expression makes no sense for it. The program sees
    /// the captured bytes only: `len`, `greater` and `less` speak of them, not of the length on the wire.
    pub fn accepts(&mut self, link: LinkType, bytes: &[u8]) -> Option<bool> {
        let known = self.programs.iter().position(|(known, _)| *known == link);
        let index = known.unwrap_or_else(|| {
            self.programs.push((link, Program::compile(link, &self.expression).ok()));
            self.programs.len() - 1
        });
        let (_, program) = self.programs.get(index)?;
        program.as_ref().map(|program| program.matches(bytes))
    }
}

#[cfg(feature = "pcap")]
mod program {
    use std::sync::{Mutex, PoisonError};

    use super::LinkType;

    /// A compiled program. It can go to another thread; running it changes nothing in it.
    pub struct Program(pcap::BpfProgram);

    impl Program {
        pub fn compile(link: LinkType, expression: &str) -> Result<Self, String> {
            // The compiler of libpcap before 1.8 keeps its state in global variables.
            let _alone = COMPILER.lock().unwrap_or_else(PoisonError::into_inner);
            pcap::Capture::dead(in_memory(link))
                .and_then(|capture| capture.compile(expression, true))
                .map(Self)
                .map_err(|error| match error {
                    pcap::Error::PcapError(message) => message,
                    other => other.to_string(),
                })
        }

        pub fn matches(&self, bytes: &[u8]) -> bool {
            self.0.filter(bytes)
        }
    }

    /// libpcap has numbers for files (`LINKTYPE_`) and for memory (`DLT_`). They differ for what had different numbers
    /// on different systems; of those only raw IP can be filtered by what is of interest here.
    fn in_memory(link: LinkType) -> pcap::Linktype {
        match link {
            LinkType::RAW | LinkType(12 | 14) => pcap::Linktype(if cfg!(target_os = "openbsd") { 14 } else { 12 }),
            LinkType(number) => pcap::Linktype(number.into()),
        }
    }

    static COMPILER: Mutex<()> = Mutex::new(());
}

#[cfg(not(feature = "pcap"))]
mod program {
    use super::LinkType;

    /// There are no programs without libpcap.
    pub enum Program {}

    impl Program {
        pub fn compile(_: LinkType, _: &str) -> Result<Self, String> {
            Err(String::new())
        }

        pub fn matches(&self, _: &[u8]) -> bool {
            match *self {}
        }
    }
}
