package dbop

import "slices"

// Transaction is operations of which all happen or none does.
type Transaction struct {
	Steps     []Step
	Isolation Isolation // empty for the database's default
}

// Step is one operation of a transaction. Its values may be references to the
// results of earlier steps: see Reference and Template.
type Step struct {
	Operation
	As         string // by which later steps refer to the result; empty for none
	ExpectRows *int   // that must be returned or affected; nil takes any number
}

// Writes reports whether some step changes rows.
func (t Transaction) Writes() bool {
	return slices.ContainsFunc(t.Steps, func(s Step) bool { return s.Writes() })
}

// Isolation is how far a transaction is kept apart from others that run at the
// same time.
type Isolation string

const (
	ReadCommitted  Isolation = "read_committed"  // a statement sees what was committed when it began
	RepeatableRead Isolation = "repeatable_read" // all statements see what was committed when the first began
	Serializable   Isolation = "serializable"    // as if transactions ran one after the other
)

// Isolations lists every isolation, the weakest first.
func Isolations() []Isolation { return []Isolation{ReadCommitted, RepeatableRead, Serializable} }

// Bounds of transactions.
const (
	MaxSteps     = 50
	MaxPath      = 512      // bytes of a reference
	MaxReference = 16 << 20 // bytes that the references of one transaction may bring in all
)

// ValidStepName reports whether a step can be called that: up to MaxNameLength
// letters, digits, _ and -, beginning with a letter or _.
func ValidStepName(name string) bool {
	for i, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_':
		case i > 0 && (r >= '0' && r <= '9' || r == '-'):
		default:
			return false
		}
	}
	return 0 < len(name) && len(name) <= MaxNameLength
}
