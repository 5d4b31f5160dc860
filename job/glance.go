package job

import "time"

// Glance says which jobs somebody who watches wants to look at.
type Glance struct {
	IDs    []ID
	Since  time.Time // those made since then, the youngest first; zero: none
	Active bool      // those that run, whose runs began last first
	Limit  int       // of Since and of Active
	Args   bool      // read args too
}

// Glimpse is what a Glance saw. Jobs have no result.
type Glimpse struct {
	Named  []Job
	New    []Job
	Active []Job
}
