package e2e_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/asyncops/asyncops/internal/testkit"
)

// fault is something that goes wrong.
type fault struct {
	name   string
	strike func(testing.TB, *rand.Rand)
	heal   func(testing.TB, *rand.Rand) // brings back what strike took away
}

// together is two faults at once. The first is over when the second heals:
// processes start well only while servers and network are well.
func together(first, second fault) fault {
	return fault{
		name: first.name + ", and " + second.name,
		strike: func(t testing.TB, random *rand.Rand) {
			first.strike(t, random)
			second.strike(t, random)
		},
		heal: func(t testing.TB, random *rand.Rand) {
			first.heal(t, random)
			second.heal(t, random)
		},
	}
}

func nothing(testing.TB, *rand.Rand) {}

// serverFaults are what can happen to servers and on the way to them.
func (f *fleet) serverFaults() []fault {
	faults := []fault{
		f.flushRedis(), f.loseDoorbells(), f.loseRings(), f.loseWrites(), f.loseAnswers(),
		crash("Redis", f.redis), away("Redis", f.toRedis), f.crashLedger(), f.ledgerAway(),
	}
	if f.target.server != nil {
		faults = append(faults, f.loseCommits(), crash("the target's server", f.target.server), away("the target", f.toTarget))
	}
	return faults
}

// killWorker kills one of the two, and has another start in its place.
func (f *fleet) killWorker(i int) fault {
	return fault{
		name:   fmt.Sprintf("worker %d is killed", i+1),
		strike: func(testing.TB, *rand.Rand) { f.workers[i].Kill() },
		heal:   func(testing.TB, *rand.Rand) { f.workers[i] = f.startWorker() },
	}
}

func (f *fleet) killScheduler() fault {
	return fault{
		name:   "the scheduler is killed",
		strike: func(testing.TB, *rand.Rand) { f.scheduler.Kill() },
		heal:   func(testing.TB, *rand.Rand) { f.scheduler = f.startScheduler() },
	}
}

func (f *fleet) killAPI() fault {
	return fault{
		name:   "the API is killed",
		strike: func(testing.TB, *rand.Rand) { f.api.Kill() },
		heal:   func(testing.TB, *rand.Rand) { f.api = f.startAPI() },
	}
}

// freezeWorker keeps one of the two from doing anything, for longer than its
// lease or not. It may hand back what it ran when it finds that the lease is
// about to end.
func (f *fleet) freezeWorker(i int) fault {
	return fault{
		name:   fmt.Sprintf("worker %d is frozen", i+1),
		strike: func(testing.TB, *rand.Rand) { f.workers[i].Freeze() },
		heal: func(t testing.TB, random *rand.Rand) {
			pause(t, upTo(random, 20*time.Second))
			f.workers[i].Thaw()
			f.load.handBacks++
		},
	}
}

func (f *fleet) flushRedis() fault {
	return fault{
		name: "Redis forgets everything",
		strike: func(t testing.TB, _ *rand.Rand) {
			if _, err := f.redis.Do("FLUSHALL"); err != nil {
				t.Fatal(err)
			}
		},
		heal: nothing,
	}
}

// crash ends a server as a power cut would. Redis keeps nothing.
func crash(name string, s server) fault {
	return fault{
		name:   name + " is killed",
		strike: func(testing.TB, *rand.Rand) { s.Kill() },
		heal: func(t testing.TB, random *rand.Rand) {
			pause(t, upTo(random, time.Second))
			s.Restart()
		},
	}
}

// away has everybody lose their connections to a server for a while.
func away(name string, way *testkit.ProxyServer) fault {
	return fault{
		name:   name + " is out of reach",
		strike: func(testing.TB, *rand.Rand) { way.Down() },
		heal: func(t testing.TB, random *rand.Rand) {
			pause(t, upTo(random, 5*time.Second))
			way.Up()
		},
	}
}

func (f *fleet) crashLedger() fault {
	return f.handsBack(crash("the ledger's server", f.ledger))
}

func (f *fleet) ledgerAway() fault { return f.handsBack(away("the ledger", f.toLedger)) }

// handsBack says that workers may hand back what they run when the fault comes:
// they do when they cannot prolong their lease, on a slow machine.
func (f *fleet) handsBack(cause fault) fault {
	heal := cause.heal
	cause.heal = func(t testing.TB, random *rand.Rand) {
		heal(t, random)
		f.load.handBacks++
	}
	return cause
}

// loseCommits loses replies of the target: an effect has happened, and its
// worker does not know.
func (f *fleet) loseCommits() fault {
	return loseReplies("replies to the target's commits", func(*rand.Rand) <-chan struct{} {
		return f.toTarget.LoseReply(isCommit)
	})
}

// loseWrites loses replies of the ledger: something was accepted, claimed,
// rung for or finished, and its writer does not know.
func (f *fleet) loseWrites() fault {
	writes := []func(request []byte) bool{isInsert, isUpdate, isCommit}
	return loseReplies("replies to the ledger's writes", func(random *rand.Rand) <-chan struct{} {
		match, skip := writes[random.IntN(len(writes))], random.IntN(4)
		return f.toLedger.LoseReply(func(request []byte) bool {
			if !match(request) {
				return false
			}
			skip-- // or it would mostly be the first of a transaction
			return skip < 0
		})
	})
}

// loseDoorbells loses what a worker took from Redis: it is gone from there.
func (f *fleet) loseDoorbells() fault {
	return loseReplies("doorbells on their way to workers", func(*rand.Rand) <-chan struct{} {
		return f.toRedis.LoseAnswer(func(request, reply []byte) bool {
			return isDequeue(request) && bytes.Contains(reply, []byte("asyncops:doorbell"))
		})
	})
}

// loseRings loses replies to those who ring.
func (f *fleet) loseRings() fault {
	return loseReplies("replies to rings", func(*rand.Rand) <-chan struct{} {
		return f.toRedis.LoseReply(func(request []byte) bool { return bytes.Contains(request, []byte("asyncops:doorbell")) })
	})
}

// loseAnswers loses replies of the upstream: a request has arrived, and its
// worker does not know.
func (f *fleet) loseAnswers() fault {
	return loseReplies("answers of the upstream", func(*rand.Rand) <-chan struct{} {
		return f.load.upstream.loseAnswer(postPath)
	})
}

// loseReplies loses a few, one after the other.
func loseReplies(what string, lose func(*rand.Rand) <-chan struct{}) fault {
	const count = 5
	return fault{
		name: fmt.Sprintf("%d %s are lost", count, what),
		strike: func(t testing.TB, random *rand.Rand) {
			for range count {
				lost := lose(random)
				select {
				case <-lost:
				case <-time.After(startTimeout):
					t.Fatalf("nobody asked: %s", what)
				}
				pause(t, upTo(random, 100*time.Millisecond))
			}
		},
		heal: nothing,
	}
}

// isInsert tells that from PostgreSQL's protocol, where it is prepared, too: no
// other statement is.
func isInsert(request []byte) bool {
	return bytes.Contains(request, []byte("INSERT INTO")) || bytes.HasPrefix(request, []byte("B"))
}

func isUpdate(request []byte) bool { return bytes.Contains(request, []byte("UPDATE ")) }

// isCommit tells the end of a transaction in PostgreSQL's protocol and in
// MySQL's, and the one statement of inserts that share it.
func isCommit(request []byte) bool {
	return bytes.HasPrefix(request[min(len(request), 5):], []byte("WITH i0 AS")) || bytes.HasSuffix(request, []byte("COMMIT\x00")) || bytes.HasSuffix(request, []byte("\x03COMMIT"))
}

// isDequeue tells asynq's dequeue by its keys.
func isDequeue(request []byte) bool {
	for _, key := range []string{":pending", ":paused", ":active", ":lease"} {
		if !bytes.Contains(request, []byte(key)) {
			return false
		}
	}
	return true
}
