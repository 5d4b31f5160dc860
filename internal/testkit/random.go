package testkit

import (
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// seedVariable repeats the random decisions of an earlier run.
const seedVariable = "ASYNCOPS_TEST_SEED"

// Random returns a source of the test's random decisions and logs its seed.
// With ASYNCOPS_TEST_SEED set to that seed, the test decides the same again,
// whichever tests run beside it: each draws its own decisions from a seed. The
// source is not safe for concurrent use.
func Random(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if given := os.Getenv(seedVariable); given != "" {
		var err error
		if seed, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("testkit: %s must be a number that a test has logged: %v", seedVariable, err)
		}
	}
	t.Logf("%s=%d repeats the random decisions", seedVariable, seed)
	name := fnv.New64a()
	_, _ = name.Write([]byte(t.Name())) // it never fails
	return rand.New(rand.NewPCG(seed, name.Sum64()))
}
