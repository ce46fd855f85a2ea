//! The second core: one pinned thread that runs what it is handed, so that no race starts with a
//! new thread on a cold stack. The thread of the race itself is pinned to the first core.

use std::sync::mpsc;
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

/// The thread on the second core.
pub struct Partner {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// The result of a job that may still be running.
pub struct Pending<T>(mpsc::Receiver<T>);

impl Partner {
    /// Pins the calling thread to the first core of its mask and starts the partner on the second.
    ///
    /// # Errors
    /// When there is only one core, or the system refuses to pin.
    pub(crate) fn start() -> Result<Partner, String> {
        let cores = core_affinity::get_core_ids().unwrap_or_default();
        let [first, second, ..] = cores.as_slice() else {
            return Err("a race needs two cores in its affinity mask".to_owned());
        };
        let (first, second) = (*first, *second);
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (report, pinned) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            // The other end is gone only when the race is over.
            let _gone = report.send(core_affinity::set_for_current(second));
            // The other thread spins and would never hear of a panic here.
            let end = AbortOnPanic;
            while let Ok(job) = inbox.recv() {
                job();
            }
            std::mem::forget(end);
        });
        if !core_affinity::set_for_current(first) || pinned.recv() != Ok(true) {
            return Err("the system refused to pin a thread".to_owned());
        }
        Ok(Partner { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Starts `job` on the second core, after those before it. A job that panics ends the process,
    /// since the other thread spins and would never hear of it.
    ///
    /// # Panics
    /// When the second core's thread is gone, which only a panic does.
    pub fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Pending<T> {
        let (sender, receiver) = mpsc::channel();
        let job: Job = Box::new(move || {
            let _gone = sender.send(job());
        });
        let jobs = self.jobs.as_ref().expect("the partner lives until it is dropped");
        jobs.send(job).expect("a job of a race does not panic");
        Pending(receiver)
    }
}

struct AbortOnPanic;

impl Drop for AbortOnPanic {
    fn drop(&mut self) {
        std::process::abort();
    }
}

impl<T> Pending<T> {
    /// Waits for the result.
    ///
    /// # Panics
    /// When the second core's thread is gone, which only a panic does.
    pub fn wait(self) -> T {
        self.0.recv().expect("a job of a race does not panic")
    }
}

impl Drop for Partner {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was printed already.
            let _ = thread.join();
        }
    }
}
