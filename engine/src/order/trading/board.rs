//! Rows that their strategy's thread writes and anyone reads, at any time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use zerocopy::transmute;

use super::row::{Row, WORDS};

/// The most rows of one strategy.
pub(super) const ROWS_MAX: usize = 1_024;

/// Readings of a row that is being written before the reader gives up: writing takes 0.1 us.
const ATTEMPTS_MAX: usize = 10_000;

/// One row: odd versions are being written.
struct BoardRow {
    version: AtomicU64,
    words: [AtomicU64; WORDS],
}

/// The rows of one strategy. One writer, any number of readers; neither waits for the other.
pub struct TradingBoard {
    cells: Box<[BoardRow]>,
    used: AtomicU64,
    /// Things told of instruments at venues that have found no row.
    beyond: AtomicU64,
}

impl TradingBoard {
    /// A board for a strategy that may trade `instruments` at each of `venues`.
    #[must_use]
    pub fn new(instruments: usize, venues: usize) -> Arc<TradingBoard> {
        let cell = |_| BoardRow {
            version: AtomicU64::new(0),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        };
        Arc::new(TradingBoard {
            cells: (0..TradingBoard::rows(instruments, venues)).map(cell).collect(),
            used: AtomicU64::new(0),
            beyond: AtomicU64::new(0),
        })
    }

    /// How many rows such a board has: one more for what names no instrument or venue, and at most
    /// 1,024.
    #[must_use]
    pub fn rows(instruments: usize, venues: usize) -> usize {
        (instruments * venues + 1).min(ROWS_MAX)
    }

    /// Bytes of a row.
    #[must_use]
    pub const fn row_bytes() -> usize {
        size_of::<BoardRow>()
    }

    /// Takes another row, if there is one left. The writer's alone.
    pub(super) fn take_row(&self) -> Option<usize> {
        let used = self.used.load(Ordering::Relaxed) as usize;
        if used == self.cells.len() {
            self.beyond.store(self.beyond.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            return None;
        }
        self.used.store(used as u64 + 1, Ordering::Release);
        Some(used)
    }

    /// Changes a row. The writer's alone.
    pub(super) fn update(&self, index: usize, change: impl FnOnce(&mut Row)) {
        let cell = &self.cells[index];
        let mut row: Row = transmute!(cell.load());
        change(&mut row);
        let changed: [u64; WORDS] = transmute!(row);
        cell.write(|words| {
            for (word, changed) in words.iter().zip(changed) {
                word.store(changed, Ordering::Relaxed);
            }
        });
    }

    /// Adds one to words of a row, by their places in it: most of a row costs nothing then. The
    /// writer's alone.
    pub(super) fn add_one<const N: usize>(&self, index: usize, places: [usize; N]) {
        self.cells[index].write(|words| {
            for place in places {
                let word = &words[place];
                word.store(word.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            }
        });
    }

    /// Every row in use, each as it stood between two changes.
    pub(super) fn read(&self) -> Vec<Row> {
        let used = self.used.load(Ordering::Acquire) as usize;
        self.cells[..used].iter().filter_map(BoardRow::read).collect()
    }

    /// How often something was told of an instrument at a venue that has no row.
    pub(super) fn beyond(&self) -> u64 {
        self.beyond.load(Ordering::Relaxed)
    }
}

impl BoardRow {
    #[inline]
    fn write(&self, write: impl FnOnce(&[AtomicU64; WORDS])) {
        let version = self.version.load(Ordering::Relaxed);
        self.version.store(version + 1, Ordering::Relaxed);
        // Who reads one of the new words also reads that the row is being written.
        fence(Ordering::Release);
        write(&self.words);
        self.version.store(version + 2, Ordering::Release);
    }

    fn load(&self) -> [u64; WORDS] {
        std::array::from_fn(|at| self.words[at].load(Ordering::Relaxed))
    }

    /// `None` when its writer was stopped in the middle for good.
    fn read(&self) -> Option<Row> {
        for _ in 0..ATTEMPTS_MAX {
            let version = self.version.load(Ordering::Acquire);
            let words = self.load();
            fence(Ordering::Acquire);
            if version.is_multiple_of(2) && self.version.load(Ordering::Relaxed) == version {
                return Some(transmute!(words));
            }
            std::hint::spin_loop();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_never_sees_half_a_change() {
        let board = TradingBoard::new(1, 1);
        let index = board.take_row().unwrap();
        let writer = Arc::clone(&board);
        let thread = std::thread::spawn(move || {
            for _ in 0..20_000 {
                writer.update(index, |row| {
                    (row.position, row.cost) = (row.position + 1, row.cost - 1);
                    row.place += 1;
                });
            }
        });
        let mut last = 0;
        while last < 20_000 {
            for row in board.read() {
                assert_eq!(
                    (row.position, row.cost),
                    (i128::from(row.place), -i128::from(row.place))
                );
                assert!(row.place >= last);
                last = row.place;
            }
        }
        thread.join().unwrap();
    }

    #[test]
    fn rows_are_bounded_and_what_finds_none_is_counted() {
        let board = TradingBoard::new(1, 1);
        assert_eq!(
            (board.take_row(), board.take_row(), board.take_row()),
            (Some(0), Some(1), None)
        );
        assert_eq!((board.beyond(), board.read().len()), (1, 2));
        assert_eq!(TradingBoard::rows(8_000, 4), ROWS_MAX);
    }
}
