//! Threads: the reader in this one, the shards in others. Work travels in batches, and comes back to be filled again.

use std::{sync::Arc, thread};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::{
    capture::{Capture, Progress, ReadError},
    engine::{
        BATCH,
        reader::{Reader, SHARDS, Work},
        shard::Shard,
    },
};

/// Batches on their way at a time; more would only cost memory.
const IN_FLIGHT: usize = 32;

/// Reads and analyzes in this thread alone.
pub fn run_here(
    capture: &mut Capture,
    reader: &mut Reader,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Shard>, ReadError> {
    let mut shards = new_shards();
    let mut work = Work::default();
    while fill(capture, reader, &mut work)? {
        push_all(&mut shards, &work, 0, 1);
        progress(capture.progress());
    }
    Ok(shards)
}

/// Reads in this thread, analyzes in `workers` others.
pub fn run(
    capture: &mut Capture,
    reader: &mut Reader,
    workers: usize,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Shard>, ReadError> {
    let workers = workers.min(SHARDS);
    thread::scope(|scope| {
        let (senders, handles): (Vec<_>, Vec<_>) = (0..workers)
            .map(|worker| {
                let (sender, receiver) = bounded(IN_FLIGHT);
                (sender, scope.spawn(move || consume(&receiver, worker, workers)))
            })
            .unzip();
        let result = produce(capture, reader, &senders, progress);
        drop(senders);
        let mut done: Vec<Vec<Shard>> = handles.into_iter().map(join).collect();
        result.map(|()| {
            let mut shards = new_shards();
            for (index, shard) in shards.iter_mut().enumerate() {
                if let Some(finished) = done.get_mut(index % workers).and_then(|shards| shards.get_mut(index)) {
                    *shard = std::mem::take(finished);
                }
            }
            shards
        })
    })
}

fn produce(
    capture: &mut Capture,
    reader: &mut Reader,
    senders: &[Sender<Arc<Work>>],
    progress: &mut dyn FnMut(Progress),
) -> Result<(), ReadError> {
    let mut pool: Vec<Arc<Work>> = Vec::new();
    loop {
        let free = pool.iter_mut().position(|work| Arc::get_mut(work).is_some());
        let mut work = free.map_or_else(Arc::default, |index| pool.swap_remove(index));
        let Some(filling) = Arc::get_mut(&mut work) else { continue };
        if !fill(capture, reader, filling)? {
            return Ok(());
        }
        for sender in senders {
            // A worker only goes away by panicking, which its join will tell.
            let _ = sender.send(Arc::clone(&work));
        }
        pool.push(work);
        progress(capture.progress());
    }
}

fn consume(receiver: &Receiver<Arc<Work>>, worker: usize, workers: usize) -> Vec<Shard> {
    let mut shards = new_shards();
    for work in receiver {
        push_all(&mut shards, &work, worker, workers);
    }
    shards
}

fn fill(capture: &mut Capture, reader: &mut Reader, work: &mut Work) -> Result<bool, ReadError> {
    work.clear(SHARDS);
    let more = capture.fill(&mut work.frames, BATCH)?;
    for secrets in capture.take_secrets() {
        reader.take_secrets(&secrets);
    }
    reader.read(work);
    Ok(more || !work.frames.frames.is_empty())
}

/// Gives each shard of a worker its items.
fn push_all(shards: &mut [Shard], work: &Work, worker: usize, workers: usize) {
    for (shard, items) in shards.iter_mut().zip(&work.items).skip(worker).step_by(workers) {
        items.iter().for_each(|item| shard.push(work, item));
    }
}

fn new_shards() -> Vec<Shard> {
    (0..SHARDS).map(|_| Shard::default()).collect()
}

fn join<T>(handle: thread::ScopedJoinHandle<'_, T>) -> T {
    handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
