//! The switch.

use crate::{Mutant, Unknown};

/// Environment variable that chooses variants for the whole process: one, or several joined by `+`.
pub const VARIABLE: &str = "MILLPOND_MUTANT";

#[cfg(feature = "enabled")]
mod chosen {
    use std::cell::Cell;
    use std::sync::atomic::AtomicU64;

    use crate::Mutant;

    /// Those of the process, one bit each.
    pub(super) static PROCESS: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        /// Those of the thread.
        pub(super) static THREAD: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn bits(mutants: &[Mutant]) -> u64 {
        mutants.iter().fold(0, |bits, mutant| bits | (1 << *mutant as u8))
    }
}

/// Says whether the code is to be wrong in this way; always `false` without the feature `enabled`.
#[cfg(feature = "enabled")]
#[inline]
#[must_use]
pub fn is(mutant: Mutant) -> bool {
    let process = chosen::PROCESS.load(std::sync::atomic::Ordering::Relaxed);
    (process | chosen::THREAD.with(std::cell::Cell::get)) & (1 << mutant as u8) != 0
}

/// Says whether the code is to be wrong in this way; always `false` without the feature `enabled`.
#[cfg(not(feature = "enabled"))]
#[inline]
#[must_use]
pub const fn is(_: Mutant) -> bool {
    false
}

/// Chooses these variants for the calling thread, in place of those before. Does nothing without the feature `enabled`.
pub fn choose(mutants: &[Mutant]) {
    #[cfg(feature = "enabled")]
    chosen::THREAD.with(|thread| thread.set(chosen::bits(mutants)));
    #[cfg(not(feature = "enabled"))]
    let _ = mutants;
}

/// Chooses what [`VARIABLE`] names for the whole process, and returns it: nothing when it is not set.
///
/// # Errors
/// [`Unknown`] for a name that is not in the list or that only the simulator has; also for any name without the feature `enabled`, since a test that asks
/// for a variant and gets the right code would prove nothing.
pub fn from_environment() -> Result<Vec<Mutant>, Unknown> {
    let Some(names) = std::env::var_os(VARIABLE) else { return Ok(Vec::new()) };
    let names = names.to_string_lossy().into_owned();
    #[cfg(feature = "enabled")]
    {
        let mutants = Mutant::several(&names)?;
        if let Some(mutant) = mutants.iter().find(|mutant| Mutant::SIMULATED.contains(mutant)) {
            return Err(Unknown::Simulated(*mutant));
        }
        chosen::PROCESS.store(chosen::bits(&mutants), std::sync::atomic::Ordering::Relaxed);
        Ok(mutants)
    }
    #[cfg(not(feature = "enabled"))]
    Err(Unknown::NotCompiledIn(names))
}

#[cfg(all(test, feature = "enabled"))]
mod tests {
    use super::*;

    #[test]
    fn variants_hold_for_the_thread_that_chose_them() {
        choose(&[Mutant::NoRedo, Mutant::AnswerMidTransaction]);
        assert!(is(Mutant::NoRedo) && is(Mutant::AnswerMidTransaction) && !is(Mutant::NoGate));
        let elsewhere = std::thread::spawn(|| is(Mutant::NoRedo)).join();
        assert_eq!(elsewhere.ok(), Some(false));
        choose(&[Mutant::NoGate]);
        assert!(!is(Mutant::NoRedo) && is(Mutant::NoGate));
        choose(&[]);
        assert!(!Mutant::ALL.iter().copied().any(is));
    }

    #[test]
    fn every_name_is_read_back_and_an_unknown_one_names_the_others() {
        for mutant in Mutant::ALL {
            assert_eq!(mutant.name().parse(), Ok(*mutant));
        }
        assert_eq!(Mutant::several(&Mutant::names(Mutant::ALL)), Ok(Mutant::ALL.to_vec()));
        let unknown = Mutant::several("no-redo+no-such").map_err(|error| error.to_string());
        assert!(unknown.is_err_and(|text| text.contains("\"no-such\"") && text.contains("no-redo")));
    }
}
