// Package testkit owns the real servers and processes that tests run against:
// PostgreSQL, Redis and MariaDB of their own, on free loopback ports and in a
// temporary directory, which a test may kill, freeze, thaw and restart, a TCP
// proxy that loses replies, the project's own binaries, the browser, and the seeds of what
// tests decide by chance. It refuses to touch any server that it did not start,
// and is imported by tests only.
//
// A package that uses it has one line in its tests:
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
// Main stops the servers that the tests of the package shared and then fails
// the run if a goroutine was left behind.
//
// A server that is not installed skips the test with what to install. With
// ASYNCOPS_REQUIRE_SERVICES=1 it fails the test instead.
//
// Nothing outlives the test process: on Linux the kernel kills what was
// started when the process dies, however it dies.
package testkit
