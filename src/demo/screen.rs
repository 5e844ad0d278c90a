//! What the user sees while the demo runs: bars on a terminal, one line per second elsewhere. All of it on stderr.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressStyle};

/// The state of things at one moment; `None` where the process cannot be asked just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Frame {
    /// Since the demo began.
    pub(super) at: Duration,
    /// Orders written.
    pub(super) written: u64,
    /// Records of the orders' topic whose processing is committed, other events among them.
    pub(super) processed: u64,
    /// Input that is not committed.
    pub(super) lag: Option<u64>,
    /// Transactions committed so far.
    pub(super) transactions: u64,
    /// Output that is not in PostgreSQL.
    pub(super) sink_lag: Option<u64>,
}

/// Rates between two frames, per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Rates {
    written: u64,
    processed: u64,
}

impl Rates {
    fn between(earlier: &Frame, later: &Frame) -> Self {
        let ms = later.at.saturating_sub(earlier.at).as_millis().max(1);
        let rate = |from: u64, to: u64| {
            u64::try_from(u128::from(to.saturating_sub(from)) * 1_000 / ms).unwrap_or(u64::MAX)
        };
        Self {
            written: rate(earlier.written, later.written),
            processed: rate(earlier.processed, later.processed),
        }
    }
}

/// The bars of a terminal.
struct Bars {
    all: MultiProgress,
    written: ProgressBar,
    processed: ProgressBar,
    rest: ProgressBar,
}

/// The display.
pub(super) struct Screen {
    orders: u64,
    is_terminal: bool,
    bars: Option<Bars>,
    last: Frame,
    rates: Rates,
}

impl Screen {
    /// Makes the display of a demo with that many orders.
    pub(super) fn new(orders: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self { orders, is_terminal, bars: None, last: Frame::default(), rates: Rates::default() }
    }

    /// Prints a line of its own.
    pub(super) fn say(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.all.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Begins to show frames.
    pub(super) fn begin(&mut self, frame: Frame) {
        self.last = frame;
        if self.is_terminal {
            self.bars = Some(Bars::new(self.orders));
        }
    }

    /// Shows a frame: the bars follow each, a line is printed once per second.
    pub(super) fn show(&mut self, frame: Frame) {
        // By the clock and not by the time since the last line, else lines drift and a second has none.
        let is_due = frame.at.as_secs() > self.last.at.as_secs();
        if is_due {
            self.rates = Rates::between(&self.last, &frame);
            self.last = frame;
        }
        match &self.bars {
            Some(bars) => bars.show(&frame, self.rates),
            None if is_due => eprintln!("{}", line(&frame, self.rates, self.orders)),
            None => {}
        }
    }

    /// Takes the bars away; what they showed last stays.
    pub(super) fn end(&mut self) {
        if let Some(bars) = self.bars.take() {
            [bars.written, bars.processed, bars.rest].iter().for_each(ProgressBar::abandon);
        }
    }
}

impl Bars {
    fn new(orders: u64) -> Self {
        let all = MultiProgress::new();
        let bar = |prefix: &'static str| {
            let bar = all.add(ProgressBar::new(orders));
            if let Ok(style) = ProgressStyle::with_template("{prefix:<10} [{bar:40}] {human_pos} {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(prefix);
            bar
        };
        let (written, processed) = (bar("orders"), bar("processed"));
        let rest = all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            rest.set_style(style);
        }
        Self { all, written, processed, rest }
    }

    fn show(&self, frame: &Frame, rates: Rates) {
        self.written.set_position(frame.written);
        self.written.set_message(format!("{}/s", HumanCount(rates.written)));
        self.processed.set_position(frame.processed);
        self.processed.set_message(format!("{}/s", HumanCount(rates.processed)));
        self.rest.set_message(rest(frame));
    }
}

fn line(frame: &Frame, rates: Rates, orders: u64) -> String {
    format!(
        "{:>4} s  orders {}/{} in at {}/s, processed {} at {}/s, {}",
        frame.at.as_secs(),
        HumanCount(frame.written),
        HumanCount(orders),
        HumanCount(rates.written),
        HumanCount(frame.processed),
        HumanCount(rates.processed),
        rest(frame)
    )
}

fn rest(frame: &Frame) -> String {
    let known =
        |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| HumanCount(count).to_string());
    let (lag, sink_lag) = (known(frame.lag), known(frame.sink_lag));
    format!("lag {lag}, {} transactions, sink lag {sink_lag}", HumanCount(frame.transactions))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Frame, Rates, line};

    #[test]
    fn a_line_has_rates_lag_transactions_and_sink_lag() {
        let earlier =
            Frame { at: Duration::from_secs(11), written: 75_000, processed: 70_000, ..Frame::default() };
        let frame = Frame {
            at: Duration::from_millis(12_500),
            written: 87_000,
            processed: 82_000,
            lag: Some(5_000),
            transactions: 1_204,
            sink_lag: None,
        };
        assert_eq!(
            line(&frame, Rates::between(&earlier, &frame), 200_000),
            "  12 s  orders 87,000/200,000 in at 8,000/s, processed 82,000 at 8,000/s, \
             lag 5,000, 1,204 transactions, sink lag ?"
        );
    }

    #[test]
    fn two_frames_at_once_have_no_infinite_rate() {
        let frame = Frame { written: 5, ..Frame::default() };
        assert_eq!(Rates::between(&frame, &frame), Rates::default());
    }
}
