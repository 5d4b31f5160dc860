package web_test

import (
	"testing"

	"github.com/asyncops/asyncops/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }
