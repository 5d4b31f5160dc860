package job

import "time"

// FailureGroup is jobs that ended alike.
type FailureGroup struct {
	Code    Code // of their error
	Kind    string
	State   State
	Jobs    int
	FirstAt time.Time // when the first of them ended
	LastAt  time.Time
	Sample  ID // the youngest
}
