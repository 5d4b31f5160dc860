package testkit_test

import (
	"slices"
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
)

// It sets the environment, so no other test may run beside it.
func TestRandomRepeats(t *testing.T) {
	t.Setenv("ASYNCOPS_TEST_SEED", "42")
	first, second := testkit.Random(t).Perm(20), testkit.Random(t).Perm(20)
	var other []int
	t.Run("other", func(t *testing.T) { other = testkit.Random(t).Perm(20) })
	if !slices.Equal(first, second) {
		t.Errorf("decisions of one seed = %v and %v, want the same", first, second)
	}
	if slices.Equal(first, other) {
		t.Errorf("decisions of two tests = %v twice, want different ones", first)
	}
	t.Setenv("ASYNCOPS_TEST_SEED", "")
	if a, b := testkit.Random(t).Uint64(), testkit.Random(t).Uint64(); a == b {
		t.Errorf("decisions without a seed = %d twice, want different ones", a)
	}
}
