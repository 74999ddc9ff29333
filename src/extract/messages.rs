//! Messages of data channels to a directory: the messages, and `index.json` that says what each of them is.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{Error, Sink};
use crate::time::{PacketId, Timestamp};

/// A message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// When the last packet of it was captured.
    pub at: Timestamp,
    /// That packet.
    pub packet: PacketId,
    /// The stream identifier of the channel.
    pub channel: u16,
    /// The channel's label; empty where it is not known.
    pub label: &'a str,
    /// Which way it went, in the words of the report.
    pub direction: &'a str,
    /// Whether it is a string (PPID 51 and 56 of RFC 8831), and not binary.
    pub is_string: bool,
    /// The bytes.
    pub data: &'a [u8],
}

/// How messages are put into files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Each in a file of its own.
    FilePerMessage,
    /// All of a channel and a direction, one behind the other.
    FilePerChannel,
}

/// A directory of messages.
#[derive(Debug)]
pub struct Messages {
    directory: PathBuf,
    layout: Layout,
    index: Sink<BufWriter<File>>,
    count: u64,
    /// Bytes in the file of each channel.
    lengths: BTreeMap<String, u64>,
}

/// What the index says of a message.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    file: &'a str,
    /// Where in the file it starts.
    offset: u64,
    length: usize,
    time: String,
    packet: u64,
    channel: u16,
    label: &'a str,
    direction: &'a str,
    kind: &'static str,
}

impl Messages {
    /// Makes `directory`, and starts the index in it.
    ///
    /// # Errors
    /// When one of them cannot be made.
    pub fn create(directory: &Path, layout: Layout) -> Result<Self, Error> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| Error { path, source }
        };
        fs::create_dir_all(directory).map_err(failed(directory))?;
        let path = directory.join("index.json");
        let file = File::create(&path).map_err(failed(&path))?;
        let mut index = Sink::new(path, BufWriter::new(file));
        index.write(b"[")?;
        Ok(Self { directory: directory.to_owned(), layout, index, count: 0, lengths: BTreeMap::new() })
    }

    /// Writes a message, and says in the index what it is.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn push(&mut self, message: &Message<'_>) -> Result<(), Error> {
        self.count += 1;
        let (name, offset) = match self.layout {
            Layout::FilePerMessage => (self.name_of_message(message), 0),
            Layout::FilePerChannel => {
                let name = name_of_channel(message);
                let offset = self.lengths.get(&name).copied().unwrap_or_default();
                self.lengths.insert(name.clone(), offset + message.data.len() as u64);
                (name, offset)
            }
        };
        self.append(&name, offset == 0, message.data)?;
        let entry = Entry {
            file: &name,
            offset,
            length: message.data.len(),
            time: message.at.to_rfc3339(),
            packet: message.packet.number(),
            channel: message.channel,
            label: message.label,
            direction: message.direction,
            kind: if message.is_string { "string" } else { "binary" },
        };
        let entry = serde_json::to_vec(&entry).map_err(|error| self.index.failed(error.into()))?;
        self.index.write(if self.count == 1 { b"\n" } else { b",\n" })?;
        self.index.write(&entry)
    }

    /// Ends the index; how many messages there are.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.index.write(b"\n]\n")?;
        self.index.finish()?;
        Ok(self.count)
    }

    fn name_of_message(&self, message: &Message<'_>) -> String {
        let extension = if message.is_string { "txt" } else { "bin" };
        format!("{:06}-channel{}-{}.{extension}", self.count, message.channel, harmless(message.label))
    }

    /// Adds to a file, or makes it anew: what an earlier run left must not stay.
    fn append(&self, name: &str, is_new: bool, data: &[u8]) -> Result<(), Error> {
        let path = self.directory.join(name);
        let file = OpenOptions::new().create(true).write(true).append(!is_new).truncate(is_new).open(&path);
        let written = file.and_then(|mut file| file.write_all(data));
        written.map_err(|source| Error { path, source })
    }
}

fn name_of_channel(message: &Message<'_>) -> String {
    format!("channel{}-{}-{}.data", message.channel, harmless(message.direction), harmless(message.label))
}

/// A label as a part of a file's name: whoever chose it must not choose where the file goes.
fn harmless(label: &str) -> String {
    let letters = label.chars().take(LONGEST_LABEL);
    letters.map(|letter| if letter.is_ascii_alphanumeric() || "-_".contains(letter) { letter } else { '_' }).collect()
}

/// Letters of a label that stand in a file's name.
const LONGEST_LABEL: usize = 40;

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn messages() -> [Message<'static>; 3] {
        let first = Message {
            at: Timestamp(1_795_334_314_748_578_000),
            packet: PacketId::new(1, 42),
            channel: 2,
            label: "../a \"b\"",
            direction: "A to B",
            is_string: true,
            data: b"hello",
        };
        let second = Message { is_string: false, data: &[0, 255], packet: PacketId::new(1, 43), ..first };
        [first, second, Message { direction: "B to A", data: b"", ..first }]
    }

    fn written(layout: Layout) -> (tempfile::TempDir, Value) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("messages");
        let mut writer = Messages::create(&path, layout).unwrap();
        messages().iter().for_each(|message| writer.push(message).unwrap());
        assert_eq!(writer.finish().unwrap(), 3);
        let index = serde_json::from_slice(&fs::read(path.join("index.json")).unwrap()).unwrap();
        (directory, index)
    }

    #[test]
    fn a_file_for_each() {
        let (directory, index) = written(Layout::FilePerMessage);
        let expected = json!({
            "file": "000001-channel2-___a__b_.txt",
            "offset": 0,
            "length": 5,
            "time": "2026-11-22T07:58:34.748578000Z",
            "packet": 42,
            "channel": 2,
            "label": "../a \"b\"",
            "direction": "A to B",
            "kind": "string",
        });
        assert_eq!((&index[0], index.as_array().unwrap().len()), (&expected, 3));
        let read = |name: &str| fs::read(directory.path().join("messages").join(name)).unwrap();
        assert_eq!(read("000001-channel2-___a__b_.txt"), b"hello");
        assert_eq!(read("000002-channel2-___a__b_.bin"), [0, 255]);
        assert_eq!(read("000003-channel2-___a__b_.txt"), b"");
    }

    #[test]
    fn a_file_for_all_of_a_channel() {
        let (directory, index) = written(Layout::FilePerChannel);
        let placed: Vec<_> = index.as_array().unwrap().iter().map(|entry| (&entry["file"], &entry["offset"])).collect();
        let (there, back) = (json!("channel2-A_to_B-___a__b_.data"), json!("channel2-B_to_A-___a__b_.data"));
        assert_eq!(placed, [(&there, &json!(0)), (&there, &json!(5)), (&back, &json!(0))]);
        let path = directory.path().join("messages").join(there.as_str().unwrap());
        assert_eq!(fs::read(path).unwrap(), b"hello\0\xff");
    }

    #[test]
    fn no_messages() {
        let directory = tempfile::tempdir().unwrap();
        Messages::create(directory.path(), Layout::FilePerChannel).unwrap().finish().unwrap();
        let index: Value = serde_json::from_slice(&fs::read(directory.path().join("index.json")).unwrap()).unwrap();
        assert_eq!(index, json!([]));
    }

    #[test]
    fn errors_name_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Messages::create(&file.join("inside"), Layout::FilePerMessage).unwrap_err();
        assert!(error.to_string().contains("inside"), "{error}");
    }
}
