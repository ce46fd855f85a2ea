//! The names under which our orders are known at a venue.

use crate::event::{ClientOrderId, ConsumerId};
use crate::order::recovery::EarlierRun;
use crate::order::{OrderKey, epoch_of_order};
use crate::venue::protocol::NameForm;

/// The longest name that every supported venue takes, bytes.
const ORDER_NAME_BYTES_MAX: usize = 36;

/// The text under which an order is known at the venue: `p<run>-<consumer>-<client_order_id>`,
/// with another mark where a venue does not take dashes; or a UUID of the three numbers.
pub(super) type OrderName = arrayvec::ArrayVec<u8, ORDER_NAME_BYTES_MAX>;

/// Names orders so that another engine's can't be taken for ours. Each start has a run number of
/// its own; the orders of earlier ones that were taken up keep their names.
#[derive(Clone, Debug)]
pub(super) struct OrderNames {
    run: u32,
    form: NameForm,
    earlier: Vec<EarlierRun>,
}

impl OrderNames {
    pub(super) fn new(run: u32, mut earlier: Vec<EarlierRun>, form: NameForm) -> OrderNames {
        earlier.sort_by_key(|of| of.epoch);
        OrderNames { run, form, earlier }
    }

    /// The earlier start that gave out this number; `None` for this one.
    #[inline]
    fn earlier(&self, id: ClientOrderId) -> Option<&EarlierRun> {
        let newest = self.earlier.last()?;
        let epoch = epoch_of_order(id.0);
        if epoch > newest.epoch {
            return None;
        }
        let index = self.earlier.binary_search_by_key(&epoch, |earlier| earlier.epoch).ok()?;
        self.earlier.get(index)
    }

    /// Whether an earlier start of the journal may have given out this number, although the journal
    /// does not have it: it is behind the last one on record.
    #[cold]
    pub(super) fn is_behind_record(&self, key: OrderKey) -> bool {
        let earlier = self.earlier(key.id);
        let last = earlier.map(|run| run.last_id(key.consumer));
        last.is_some_and(|last| key.id.0 > last)
    }

    /// The name of an order.
    #[inline]
    pub(super) fn name(&self, key: OrderKey) -> OrderName {
        let (run, consumer) = match self.earlier(key.id) {
            None => (self.run, key.consumer.0),
            Some(earlier) => (earlier.run, earlier.number_then(key.consumer)),
        };
        match self.form {
            NameForm::Marked(mark) => marked_name([run.into(), consumer.into(), key.id.0], mark),
            NameForm::Uuid => uuid_name(run, consumer, key.id.0),
        }
    }

    /// The order that a name stands for; `None` when it is none of this run's, nor of an earlier
    /// one whose orders were taken up.
    #[inline]
    pub(super) fn parse(&self, name: &[u8]) -> Option<OrderKey> {
        let [run, consumer, id] = self.numbers(name)?;
        let (id, consumer) = (ClientOrderId(id), u16::try_from(consumer).ok()?);
        let (its_run, consumer) = match self.earlier(id) {
            None => (self.run, Some(ConsumerId(consumer))),
            Some(earlier) => (earlier.run, earlier.consumer_now(consumer)),
        };
        if run != u64::from(its_run) {
            return None;
        }
        Some(OrderKey { consumer: consumer?, id })
    }

    /// Whether a name has the form of ours, of whatever run. One UUID in a thousand holds three
    /// numbers: those of ours are small.
    #[cold]
    pub(super) fn is_like_ours(&self, name: &[u8]) -> bool {
        let consumers = match self.form {
            NameForm::Marked(_) => u16::MAX.into(),
            NameForm::Uuid => CONSUMERS_LIKELY,
        };
        self.numbers(name).is_some_and(|[run, consumer, id]| {
            let is_likely = self.form != NameForm::Uuid || epoch_of_order(id) <= STARTS_LIKELY;
            run <= u32::MAX.into() && consumer <= consumers && is_likely
        })
    }

    /// The numbers of a name: run, consumer, order.
    #[inline]
    fn numbers(&self, name: &[u8]) -> Option<[u64; 3]> {
        let NameForm::Marked(mark) = self.form else { return uuid_numbers(name) };
        marked_numbers(name.strip_prefix(b"p")?, mark)
    }
}

/// Three numbers with a mark between them.
#[inline]
fn marked_numbers(text: &[u8], mark: u8) -> Option<[u64; 3]> {
    let mut parts = text.split(|byte| *byte == mark).map(number);
    let numbers = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[inline]
fn marked_name(numbers: [u64; 3], mark: u8) -> OrderName {
    let mut name = OrderName::new();
    let mut digits = itoa::Buffer::new();
    name.push(b'p');
    for part in numbers {
        if name.len() > 1 {
            name.push(mark);
        }
        // 1 + 10 + 1 + 5 + 1 bytes leave room for the eighteen digits of the last part: a hundred
        // million starts.
        let text = digits.format(part).as_bytes();
        // Room for the orders of nine years.
        let _ = name.try_extend_from_slice(text);
    }
    name
}

/// What stands in front of the order's number in a UUID, as `p` does in other names.
const UUID_MARK: u128 = 0x70;
/// Consumers and starts of one journal beyond which a UUID is rather somebody else's.
const CONSUMERS_LIKELY: u64 = 1_023;
const STARTS_LIKELY: u64 = 1 << 20;
/// Places of the dashes of a UUID.
const DASHES: [usize; 4] = [8, 13, 18, 23];

/// `RRRRRRRR-CCCC-4mmi-8iii-iiiiiiiiiiii`: run and consumer, then the mark and the order's number
/// around the digits that make it a random UUID of the usual sort.
#[inline]
fn uuid_name(run: u32, consumer: u16, id: u64) -> OrderName {
    let tail = UUID_MARK << 64 | u128::from(id);
    let (high, middle, low) = (tail >> 60, tail >> 48 & 0xFFF, tail & 0xFFFF_FFFF_FFFF);
    let head = u128::from(run) << 96 | u128::from(consumer) << 80;
    let uuid = head | 4 << 76 | high << 64 | 8 << 60 | middle << 48 | low;
    let mut name = OrderName::new();
    for place in (0..32).rev() {
        if DASHES.contains(&name.len()) {
            name.push(b'-');
        }
        name.push(b"0123456789abcdef"[(uuid >> (4 * place) & 0xF) as usize]);
    }
    name
}

/// The numbers of such a name; `None` for any other, and for one with capital digits.
#[inline]
fn uuid_numbers(name: &[u8]) -> Option<[u64; 3]> {
    if name.len() != ORDER_NAME_BYTES_MAX {
        return None;
    }
    let mut uuid = 0_u128;
    for (place, byte) in name.iter().enumerate() {
        match (DASHES.contains(&place), byte) {
            (true, b'-') => {}
            (false, b'0'..=b'9') => uuid = uuid << 4 | u128::from(byte - b'0'),
            (false, b'a'..=b'f') => uuid = uuid << 4 | u128::from(byte - b'a' + 10),
            _ => return None,
        }
    }
    let has_form = uuid >> 76 & 0xF == 4 && uuid >> 60 & 0xF == 8;
    let tail = (uuid >> 64 & 0xFFF) << 60 | (uuid >> 48 & 0xFFF) << 48 | uuid & 0xFFFF_FFFF_FFFF;
    let is_marked = has_form && tail >> 64 == UUID_MARK;
    is_marked.then_some([(uuid >> 96) as u64, (uuid >> 80) as u64 & 0xFFFF, tail as u64])
}

/// Run, consumer and number of an order of ours, of whatever venue; `None` for a stranger's. For
/// whoever holds what was told against a ledger.
#[must_use]
pub fn parts_of_name(name: &str) -> Option<(u32, u16, u64)> {
    let marked = || {
        // What stands between the parts is the venue's, and the same at both places.
        let digits = name.strip_prefix('p')?.as_bytes();
        let mark = *digits.iter().find(|byte| !byte.is_ascii_digit())?;
        marked_numbers(digits, mark)
    };
    let [run, consumer, id] = uuid_numbers(name.as_bytes()).or_else(marked)?;
    Some((u32::try_from(run).ok()?, u16::try_from(consumer).ok()?, id))
}

/// A number as [`OrderNames::name`] writes it. With leading zeros it is somebody else's name.
fn number(digits: &[u8]) -> Option<u64> {
    let has_leading_zero = digits.len() > 1 && digits[0] == b'0';
    if digits.is_empty() || has_leading_zero || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::first_order_id;

    const DASHED: NameForm = NameForm::Marked(b'-');
    const KEY: OrderKey = OrderKey { consumer: ConsumerId(3), id: ClientOrderId(41) };

    #[test]
    fn names_are_read_back_and_strangers_are_not_ours() {
        let names = OrderNames::new(77, Vec::new(), DASHED);
        assert_eq!(names.name(KEY).as_slice(), b"p77-3-41");
        assert_eq!(names.parse(b"p77-3-41"), Some(KEY));
        // EDGE-21: one name is a prefix of another.
        assert_eq!(names.parse(b"p77-3-4").map(|key| key.id), Some(ClientOrderId(4)));
        for name in ["p78-3-41", "77-3-41", "p77-3", "p77-3-41-1", "p77-3-", "p77--41", "", "x"] {
            assert_eq!(names.parse(name.as_bytes()), None, "{name}");
        }
        assert_eq!(names.parse(b"p77-99999-1"), None);
        let plain = OrderNames::new(77, Vec::new(), NameForm::Marked(b'x'));
        assert_eq!(plain.name(KEY).as_slice(), b"p77x3x41");
        assert_eq!((plain.parse(b"p77x3x41"), plain.parse(b"p77-3-41")), (Some(KEY), None));
        for name in ["p77-3-041", "p77-03-41", "p077-3-41"] {
            assert_eq!(names.parse(name.as_bytes()), None, "{name}: not as we write it");
        }
        let longest =
            OrderKey { consumer: ConsumerId(u16::MAX), id: ClientOrderId(10_u64.pow(17)) };
        let names = OrderNames::new(u32::MAX, Vec::new(), DASHED);
        assert_eq!(names.parse(&names.name(longest)), Some(longest));
    }

    #[test]
    fn a_uuid_holds_the_three_numbers_and_no_other_is_taken_for_one() {
        let names = OrderNames::new(77, Vec::new(), NameForm::Uuid);
        assert_eq!(names.name(KEY).as_slice(), b"0000004d-0003-4700-8000-000000000029");
        assert_eq!(names.parse(b"0000004d-0003-4700-8000-000000000029"), Some(KEY));
        let longest = OrderKey { consumer: ConsumerId(u16::MAX), id: ClientOrderId(u64::MAX) };
        let names = OrderNames::new(u32::MAX, Vec::new(), NameForm::Uuid);
        assert_eq!(names.name(longest).as_slice(), b"ffffffff-ffff-470f-8fff-ffffffffffff");
        assert_eq!(names.parse(&names.name(longest)), Some(longest));
        assert_eq!(
            parts_of_name("ffffffff-ffff-470f-8fff-ffffffffffff"),
            Some((u32::MAX, u16::MAX, u64::MAX))
        );
        assert_eq!(parts_of_name("p77x3x41"), Some((77, 3, 41)));
        for name in ["p77-3", "web-7", "p77-3x41", "p077-3-41", "p77-3-+41", "p77--3-41", "p1-2-3-"]
        {
            assert_eq!(parts_of_name(name), None, "{name}");
        }
        assert_eq!(parts_of_name("p77-65536-1"), None);
        assert!(names.is_like_ours(b"0000004d-0003-4700-8000-000000000029"), "of another run");
        for name in [
            "6d1b345e-2821-40e2-ad83-4ecb18a06876",
            // Drawn by chance, the mark is in it.
            "6d1b345e-2821-470e-8d83-4ecb18a06876",
            "6d1b345e-0003-470e-8d83-4ecb18a06876",
            "6d1b345e-2821-4700-8000-000000000029",
            "0000004D-0003-4700-8000-000000000029",
            "0000004d-0003-4700-8000-00000000002",
            "0000004d00003-4700-8000-000000000029",
            "p77-3-41",
        ] {
            assert!(!names.is_like_ours(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn orders_of_earlier_starts_keep_their_names_and_no_two_starts_share_one() {
        let earlier = vec![EarlierRun::new(2, 55)];
        let names = OrderNames::new(77, earlier, DASHED);
        let key = |epoch| OrderKey { id: ClientOrderId(first_order_id(epoch)), ..KEY };
        let (taken_up, own) = (names.name(key(2)), names.name(key(3)));
        assert_eq!(taken_up.as_slice(), b"p55-3-4294967297");
        assert_eq!(own.as_slice(), b"p77-3-8589934593");
        assert_eq!(names.parse(&taken_up), Some(key(2)));
        assert_eq!(names.parse(&own), Some(key(3)));
        assert_eq!(names.parse(b"p55-3-8589934593"), None, "that start gave out no such number");
        assert_eq!(names.parse(b"p77-3-4294967297"), None);
    }

    #[test]
    fn a_consumer_with_another_number_now_has_its_orders_under_the_number_it_had() {
        let consumers = vec![None, Some(3), Some(0)];
        let earlier =
            EarlierRun { consumers, last_ids: vec![0, 0, 0, 7], ..EarlierRun::new(1, 55) };
        let names = OrderNames::new(77, vec![earlier], DASHED);
        assert_eq!(names.name(KEY).as_slice(), b"p55-1-41");
        assert_eq!(names.parse(b"p55-1-41"), Some(KEY));
        assert_eq!(names.parse(b"p55-0-41"), None, "its strategy is not there any more");
        assert_eq!(names.parse(b"p55-2-41").map(|key| key.consumer), Some(ConsumerId(0)));
        assert!(names.is_behind_record(KEY));
        let on_record = OrderKey { id: ClientOrderId(7), ..KEY };
        assert!(!names.is_behind_record(on_record));
        let own = OrderKey { id: ClientOrderId(first_order_id(2)), ..KEY };
        assert!(!names.is_behind_record(own), "of this start nothing is on record yet");
    }

    #[test]
    fn names_of_another_run_have_the_form_of_ours_and_strangers_names_do_not() {
        let names = OrderNames::new(77, Vec::new(), DASHED);
        for name in ["p1-0-1", "p4294967295-65535-18446744073709551615"] {
            assert!(names.is_like_ours(name.as_bytes()), "{name}");
        }
        for name in ["web_1", "p1-0", "p1-0-1-2", "p01-0-1", "p4294967296-0-1", "p1-65536-1", ""] {
            assert!(!names.is_like_ours(name.as_bytes()), "{name}");
        }
    }
}
