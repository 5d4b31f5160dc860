package testkit

import "os"

// longVariable asks for the long tier of tests.
const longVariable = "ASYNCOPS_E2E"

// Long reports whether tests shall run their long tier, which takes many
// minutes: ASYNCOPS_E2E is long. Without it they run the short one, in which
// everything happens at least once.
func Long() bool { return os.Getenv(longVariable) == "long" }
