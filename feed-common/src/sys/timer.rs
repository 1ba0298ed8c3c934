//! How precisely sleeps end.

/// Lets this thread's sleeps end as near to their time as the timers allow, instead of up to 50 µs later, which the
/// kernel takes by default to group wake-ups. Best effort: without it sleeps are only less precise.
pub fn sleep_precisely() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer by value and changes nothing but the calling thread's slack.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1 as libc::c_ulong) };
}
