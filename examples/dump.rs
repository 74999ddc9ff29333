use rtcscope::{capture::*, engine};
fn main() {
    let mut args = std::env::args().skip(1);
    let threads: usize = args.next().unwrap().parse().unwrap();
    let paths: Vec<_> = args.map(Into::into).collect();
    let t = std::time::Instant::now();
    let mut capture = match Capture::open(&paths, &Options::default()) {
        Ok(c) => c,
        Err(e) => {
            println!("ERR {e}");
            return;
        }
    };
    let a = engine::analyze(&mut capture, engine::Config { threads }, |_| {}).unwrap();
    eprintln!("{:?}", t.elapsed());
    for f in &a.files {
        println!("{} packets {} {:?}", f.path, f.packets, f.format);
    }
    println!("copies {:?} refused {:?} incomplete {}", a.copies, a.refused, a.incomplete);
    for (file, l, k, n, id) in a.faults.iter() {
        println!("fault {file} {l:?} {k:?} {n} first {}", id.number());
    }
    for f in &a.flows {
        println!(
            "flow {} {} {:?} relay {:?} pk {:?} protos {:?} path {:?} label {:?}",
            f.key.low, f.key.high, f.key.transport, f.key.relay, f.packets, f.protocols, f.path, f.label
        );
        if let Some(r) = &f.rtcp {
            println!(
                "   rtcp clear {} enc {} und {} {:?}",
                r.clear,
                r.encrypted,
                r.undecided,
                r.by_type.iter().map(|(k, v)| (k.packet_type, k.format, *v)).collect::<Vec<_>>()
            );
        }
        for s in &f.streams {
            let c = s.sequence();
            let (rate, inf) = rtcscope::flow::stream::clock_rate(s);
            println!(
                "   {:08x} dir {} n {} exp {} lost {} dup {} reord {}/{} strays {} restarts {} pts {:?} rate {:?}{} jit {:?} pad {}/{} rep {:?} drift {:?} pauses {:?} out {:?} fr {} ext {:?}",
                s.ssrc,
                s.direction,
                s.packets,
                c.expected,
                c.lost,
                c.duplicated,
                c.reordered,
                c.reorder_depth,
                c.strays,
                c.restarts,
                s.payload_types().iter().map(|p| (p.payload_type, p.packets)).collect::<Vec<_>>(),
                rate,
                if inf { "~" } else { "" },
                rate.and_then(|r| s.timing().jitter(r)).map(|j| (j.last, j.mean, j.highest)),
                s.padded,
                s.padding_only,
                s.repairs,
                rate.and_then(|r| s.timing().drift_ppb(r)),
                s.pauses.count,
                s.outages,
                s.frames,
                s.extensions.iter().enumerate().filter(|(_, n)| **n > 0).collect::<Vec<_>>()
            );
        }
    }
}
