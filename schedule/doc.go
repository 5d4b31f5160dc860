// Package schedule owns when periodic jobs are made: what a cron specification
// means in a time zone, what becomes of fires that were missed or that meet a
// job which still runs, and the loop that fires what is due.
//
// Its calculations know no clock: they are told what time it is. It refuses to
// know what jobs do and where schedules are kept; the ledger is an interface
// of its own.
package schedule
