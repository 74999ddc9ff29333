//! The resources that WHIP and WHEP sessions were created at (RFC 9725 section 4.2), by whatever connection: those that
//! end or change a session may come over another.

use std::collections::VecDeque;

use rustc_hash::FxHashSet;

/// Resources that are remembered, and bytes of the name of one.
const RESOURCES: usize = 4096;
const NAME_BYTES: usize = 1024;

/// The latest resources.
#[derive(Debug, Default)]
pub struct Resources {
    names: FxHashSet<String>,
    order: VecDeque<String>,
}

impl Resources {
    /// Remembers the resource that the response to a request names in Location.
    pub fn add(&mut self, location: &str, host: Option<&str>, target: &str) {
        let (authority, path) = resolved(location, target);
        let name = name(authority.or(host), &path);
        // The root is everybody's.
        if path == "/" || name.len() > NAME_BYTES || !self.names.insert(name.clone()) {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > RESOURCES
            && let Some(oldest) = self.order.pop_front()
        {
            self.names.remove(&oldest);
        }
    }

    /// Whether a request acts on one of them.
    pub fn has(&self, host: Option<&str>, target: &str) -> bool {
        if self.names.is_empty() {
            return false;
        }
        let (authority, path) = resolved(target, "/");
        let host = authority.or(host);
        self.names.contains(&name(host, &path)) || self.names.contains(&name(None, &path))
    }
}

fn name(host: Option<&str>, path: &str) -> String {
    let host = host.unwrap_or_default().to_ascii_lowercase();
    let host = host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(&host);
    format!("{host}{path}")
}

/// The authority and the path, with its query, that a reference means where the path of the base is `base` (RFC 3986
/// section 5.2).
fn resolved<'a>(reference: &'a str, base: &str) -> (Option<&'a str>, String) {
    let reference = reference.split('#').next().unwrap_or_default();
    let absolute = reference.split_once("://").map(|(_, rest)| rest).or_else(|| reference.strip_prefix("//"));
    if let Some(rest) = absolute {
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(at).unwrap_or((rest, ""));
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        return (Some(authority), path);
    }
    if reference.starts_with('/') {
        return (None, reference.to_owned());
    }
    let base =
        base.split_once("://").map_or(base, |(_, rest)| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"));
    let base = base.split('?').next().unwrap_or_default();
    let mut folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut rest = reference;
    loop {
        if let Some(behind) = rest.strip_prefix("./") {
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix("../") {
            rest = behind;
            folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        } else {
            return (None, format!("{folder}/{rest}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_to_a_resource() {
        let cases = [
            ("https://a.example/whip/1?x=2", "/whip", "a.example/whip/1?x=2"),
            ("//b.example/1", "/whip", "b.example/1"),
            ("/whip/1#part", "/other", "h.example/whip/1"),
            ("1", "/whip/live", "h.example/whip/1"),
            ("./1", "/whip/live?x", "h.example/whip/1"),
            ("../resource/1", "/whip/live", "h.example/resource/1"),
            ("../../../1", "/whip/live", "h.example/1"),
            ("1", "http://h.example/whip/live", "h.example/whip/1"),
        ];
        for (location, target, expected) in cases {
            let mut resources = Resources::default();
            resources.add(location, Some("H.example:80"), target);
            assert_eq!(resources.order, [expected], "{location}");
            let (host, path) = expected.split_at(9);
            assert!(resources.has(Some(host), path), "{location}");
            assert!(!resources.has(Some("c.example"), path), "{location}");
            assert!(resources.has(None, &format!("http://{expected}")), "{location}");
        }
    }

    #[test]
    fn the_oldest_make_room() {
        let mut resources = Resources::default();
        for number in 0..3 * RESOURCES {
            resources.add(&format!("/{number}"), None, "/");
        }
        resources.add("/", None, "/");
        resources.add(&"x".repeat(NAME_BYTES), None, "/");
        assert_eq!((resources.names.len(), resources.order.len()), (RESOURCES, RESOURCES));
        assert!(!resources.has(None, &format!("/{}", 2 * RESOURCES - 1)));
        assert!(resources.has(Some("any"), &format!("/{}", 2 * RESOURCES)));
    }
}
