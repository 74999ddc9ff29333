//! Server-sent events (HTML section 9.2): the text of each, without the names of its lines.

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerSent {
    /// Its type, `event`.
    pub name: Option<String>,
    /// The lines of its `data`.
    pub data: String,
}

/// The events of a text; the last may end early. Comments, and events without data, are none.
pub fn events(text: &str) -> Vec<ServerSent> {
    let mut found = Vec::new();
    let (mut event, mut has_data) = (ServerSent::default(), false);
    for line in lines(text).chain([""]) {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                let event = std::mem::take(&mut event);
                if std::mem::take(&mut has_data) {
                    found.push(event);
                }
            }
            "data" => {
                if has_data {
                    event.data.push('\n');
                }
                has_data = true;
                event.data.push_str(value);
            }
            "event" => event.name = Some(value.to_owned()),
            _ => {}
        }
    }
    found
}

/// Lines that end with CR LF, LF or CR.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n').flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Option<String>, String)> {
        events(text).into_iter().map(|event| (event.name, event.data)).collect()
    }

    /// The examples of HTML section 9.2.6.
    #[test]
    fn the_examples_of_html() {
        let stock = "data: YHOO\ndata: +2\ndata: 10\n\n";
        assert_eq!(found(stock), [(None, "YHOO\n+2\n10".to_owned())]);
        let comments = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
        let data: Vec<_> = events(comments).into_iter().map(|event| event.data).collect();
        assert_eq!(data, ["first event", "second event", " third event"]);
        assert_eq!(events("data:test\n\ndata: test\n\n").len(), 2);
        let added = "event: add\rdata: 73857293\r\revent: remove\r\ndata: 2153\r\n\r\n";
        let expected = [("add", "73857293"), ("remove", "2153")];
        let expected = expected.map(|(name, data)| (Some(name.to_owned()), data.to_owned()));
        assert_eq!(found(added), expected);
    }
}
