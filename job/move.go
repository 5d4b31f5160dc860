package job

import "slices"

// Move is a verb that changes a job's state. The same word names it in SQL,
// Go, the API, logs and the dashboard.
type Move string

const (
	MoveAccept   Move = "accept"    // a submission is committed to the ledger
	MoveRelease  Move = "release"   // the last predecessor of a workflow step completed
	MoveRing     Move = "ring"      // the relay rings a doorbell for a due job
	MoveClaim    Move = "claim"     // a worker takes the job: epoch+1
	MoveComplete Move = "complete"  // the run did what was asked
	MoveRetry    Move = "retry"     // the run failed, another follows after a backoff
	MovePark     Move = "park"      // the run may not go on now; no attempt is counted
	MoveHandBack Move = "hand_back" // the worker stops or cannot run it; no attempt is counted
	MoveReap     Move = "reap"      // the worker's lease ended: crashes+1, no attempt is counted
	MoveArchive  Move = "archive"   // failed for good
	MoveCancel   Move = "cancel"    // a caller stopped it
	MoveExpire   Move = "expire"    // not started by expires_at
	MoveDoubt    Move = "doubt"     // ambiguous outcome that must not be repeated
	MoveRevive   Move = "revive"    // an operator runs it again: generation+1
)

// Step is one line of the state machine: From any of these, the Move leads to
// one of To.
type Step struct {
	Move Move
	From []State // empty: the job does not exist yet
	To   []State
}

// Steps is the state machine of a job, whole. The ledger's conformance suite
// walks it: a move that is not here must change nothing.
func Steps() []Step {
	startable := []State{Scheduled, Pending, Retry, Parked}
	return []Step{
		{MoveAccept, nil, []State{Waiting, Scheduled, Pending}},
		{MoveRelease, []State{Waiting}, []State{Pending, Scheduled}},
		{MoveRing, startable, []State{Pending}},
		{MoveClaim, startable, []State{Active}},
		{MoveComplete, []State{Active}, []State{Completed}},
		{MoveRetry, []State{Active}, []State{Retry}},
		{MovePark, []State{Active}, []State{Parked}},
		{MoveHandBack, []State{Active}, []State{Pending}},
		{MoveReap, []State{Active}, []State{Pending, Archived, Canceled, Unknown}},
		{MoveArchive, []State{Waiting, Scheduled, Pending, Retry, Parked, Active}, []State{Archived}},
		{MoveCancel, []State{Waiting, Scheduled, Pending, Retry, Parked, Active}, []State{Canceled}},
		{MoveExpire, []State{Waiting, Scheduled, Pending, Parked}, []State{Expired}},
		{MoveDoubt, []State{Active}, []State{Unknown}},
		{MoveRevive, []State{Archived, Canceled, Expired, Unknown}, []State{Pending}},
	}
}

// Legal reports whether some move leads from one state to the other.
func Legal(from, to State) bool {
	return slices.ContainsFunc(Steps(), func(s Step) bool {
		return slices.Contains(s.From, from) && slices.Contains(s.To, to)
	})
}
