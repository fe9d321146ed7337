// SPDX-License-Identifier: ISC
// Every number that detection goes by, in one place; those of the causes stand in watch/causes.def. Used by
// stayd-watch. docs/diagnosis.md says why each is what it is.
#ifndef WATCH_BOUNDS_H
#define WATCH_BOUNDS_H

// ---- change-points (watch/changes.c) ----------------------------------------------------------------------
#define CHANGE_BASELINE_MS 60000 // what was usual: the median of so long,
#define CHANGE_RECENT_MS   1500  // without the newest,
#define CHANGE_POINTS_MIN  50    // and of at least so many tenths of a second that had something in them
#define CHANGE_SLACK       1.0   // Page's k: a deviation up to this is drift
#define CHANGE_CLAMP       8.0   // one tenth of a second counts at most so much
#define CHANGE_ALARM       12.0  // Page's h
#define CHANGE_CONFIRM_MS  600   // the mean of so long must confirm it
#define CHANGE_EVENTS_MIN  6     // and so many requests stand behind it;
#define CHANGE_SPARSE_MS   1500  // where fewer come, within so long, and with so many times the alarm's sum
#define CHANGE_SPARSE_SUM  2.0
#define CHANGE_LASTS       0.6    // over when it falls below so much of what raised it
#define CHANGE_ADOPT_MS    900000 // what stays for so long is the new usual

// ---- objectives (watch/detect.c): 99.9 % of requests answered within a second
// ------------------------------
#define BURN_BUDGET        0.001
#define BURN_FAST_SHARE    0.10 // of a class, over BURN_FAST_MS,
#define BURN_FAST_MS       1000
#define BURN_FAST_MIN      5    // and at least so many,
#define BURN_CONFIRM_SHARE 0.02 // and still over 10 s
#define BURN_CONFIRM_MS    10000
#define BURN_THIN_SHARE    0.30 // where few come: over 10 s
#define BURN_THIN_MIN      5
#define BURN_HOUR_RATE     14.4 // times the budget, over 5 minutes and an hour
#define BURN_HOUR_MIN      30
#define BURN_HOURS_RATE    6.0 // over 30 minutes and 6 hours
#define BURN_HOURS_MIN     60
#define BURN_STILL_S       30 // a long burn counts while it goes on

// ---- invariants
// ---------------------------------------------------------------------------------------------
#define HEARTBEAT_OLD_MS    1000.0 // they come every 250 ms
#define HEARTBEAT_UPTIME_S  3.0
#define AFTER_GAP_MS        3000 // a machine that slept: everyone seems silent
#define CLOCK_STEP_MS       1000.0
#define STUCK_MS            1500
#define STUCK_SPAN_MS       10000 // not while stayd starts
#define STUCK_ARRIVALS_MIN  3
#define LOCK_HELD_MS        300
#define LOCK_WAITING_MS     1500
#define LOCK_WAITING        0.9
#define DISK_FREE_MIN       16777216.0
#define REFUSED_SHARE       0.05 // arrivals count as a symptom when so many of them are sent away
#define EVENT_NEW_MS        3000
#define EVENT_LASTS_MS      1000 // an event counts as a symptom for so long
#define PROCESSORS_LOAD     1.4  // times the usual log-ins
#define PROCESSORS_MS       1500 // it lasts
#define STATEMENT_FACTOR    4.0
#define STATEMENT_RISE_MS   15.0
#define STATEMENT_CALLS_MIN 3
#define STATEMENT_FEW       1.9 // one slow call of a statement is chance

#define CACHE_FULL    0.95 // of the session table's room
#define CACHE_MISSED  0.15 // of the checks
#define CACHE_NO_ROOM 0.5  // a second
#define CACHE_MS      2000
#define CACHE_FULL_MS 500 // a table that was just filled was not full long before

// ---- growth without end
// -------------------------------------------------------------------------------------
#define LEAK_SECONDS              20
#define LEAK_UPTIME_S             5.0
#define LEAK_BYTES_MIN            (24.0 * 1048576)
#define LEAK_DESCRIPTORS_MIN      40.0
#define LEAK_SHARE_MIN            0.15 // of what it had
#define LEAK_RISING_MIN           0.80 // of the steps
#define LEAK_FAST_SECONDS         4    // or so much at once
#define LEAK_FAST_BYTES_MIN       (64.0 * 1048576)
#define LEAK_FAST_DESCRIPTORS_MIN 400.0
#define LEAK_FAST_SHARE_MIN       0.5
#define DESCRIPTORS_FULL          0.90

// ---- the scene of a diagnosis (watch/scene.c) -----------------------------------------------------------
#define BEFORE_MS           30000 // what was usual: so long before the onset,
#define BEFORE_GAP_MS       400   // without the last moments, as the onset may be a little late
#define SHORTLY_MS          12000 // arrivals are compared with shorter ago, as they come in waves
#define NOW_MIN_MS          300
#define NOW_MAX_MS          2000
#define UNHEARD_MS          2000 // then a trivial statement that is not answered says nothing more
#define DOWN_SHOWS_MS       1000 // what the store says of its database, its counters show by then
#define WAY_MAX_MS          5000
#define NOW_RATES_MIN_MS    1000 // rates need longer than times to be told from chance
#define JUMP_MS             600  // a step in arrivals shows within so long
#define JUMP_SIGMAS         3.3  // beyond chance, as many moments are looked at
#define GUESSES_DECIDED_MIN 10   // log-ins that tell something of those that were not decided
#define SOURCES_LATE_MS     1300
#define JUMP_BEFORE_MS      1500
#define JUMP_BACK_MS        60000
#define HEAVY_SOURCE_RATE   4.0 // a second: people are slower, and chance makes no 8 of 40 look so
#define FACT_BEFORE_MS      3000
#define FACT_FRESH_MS       8000
#define PROGRAM_FRESH_MS    8000 // said every 5 s
#define OWN_CHANGE_MS       120000
#define OWN_CHANGE_LATE_MS  3000 // chance may put an onset so early
#define OWN_START_AFTER_MS  2500 // a start is only blamed when nothing else has shown by then

// ---- the diagnosis (watch/diagnosis.c)
// ---------------------------------------------------------------------
#define LOOK_EVERY_MS      200
#define ESTABLISHED_MS     400   // a cause must have held for so long, unless it was seen itself
#define EXPIRES_MS         10000 // and is dropped when it has not held for so long while another does
#define NAMED_STAYS_MS     5000  // named for so long, a cause does not give way to our own change
#define UNKNOWN_AFTER_MS   3000  // then "unknown" is said
#define HELD_SHARE         0.5   // an inferred cause has held for so much of the time since it first did
#define CPU_EXPLAINS_TIMES 3.0   // what is slower than by this power has another cause
#define CPU_OTHERS_TIMES   1.5   // as many processors as the statement can use are used, at least
#define WAY_TIMES          4.0 // a way, or a disk, that became a quarter as much slower explains a slow statement
#define WAY_BEFORE_MS      500
#define CPU_DELAYS_MS      20.0 // but to wait for a processor takes so long
#define SHARE_MIN          0.06 // with less, a cause is not named
#define SURE_WEIGHT        4.0  // as a factor of 55

// ---- opening and closing
#define START_GRACE_S 10.0 // a stayd that has just started may be slow, and many may wait for it
// ------------------------------------------------------------------------------------
#define CLOSE_AFTER_MS    5000  // all is well for so long
#define ONSET_BACK_MS     15000 // an onset lies at most so far before it was noticed
#define ONSET_ARRIVALS_MS 5000  // of what comes more often: who is one too many is sent away within seconds
#define ONSET_MOVES_MS    3000  // and is made earlier for so long

#endif
