use super::{page::width, *};
use crate::report::samples;

fn text(report: &Report, options: TextOptions) -> String {
    let mut out = Vec::new();
    write_text(report, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn at(width: usize) -> TextOptions {
    TextOptions { width, ..TextOptions::default() }
}

#[test]
fn show() {
    for (n, report) in samples::all().iter().enumerate() {
        for width in [80, 120, 200] {
            std::fs::write(format!("/tmp/show-{n}-{width}"), text(report, at(width))).unwrap();
        }
        std::fs::write(format!("/tmp/show-{n}-c"), text(report, TextOptions { color: true, ..at(80) })).unwrap();
        let _ = super::page::width("x");
    }
    let _ = width("");
}
