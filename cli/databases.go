package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/asyncops/asyncops/sdk"
)

// Run lists the databases, or shows one with the use of its connections by each
// worker.
func (c *databasesCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	if c.Name != "" {
		db, err := client.Database(ctx, c.Name)
		if err != nil {
			return err
		}
		return s.printDatabase(db)
	}
	databases, err := client.Databases(ctx)
	if err != nil {
		return err
	}
	headings := []string{"DATABASE", "DRIVER", "STATUS", "LATENCY", "EFFECTS", "IN USE", "IDLE", "WAITING", "PARKED", "DETAIL"}
	return s.print(databases, headings, func() [][]string {
		rows := make([][]string, len(databases))
		for i, db := range databases {
			rows[i] = []string{
				db.Name, db.Driver, db.Health.Status, latency(db.Health.LatencyMS), db.Health.Effects, inUse(db.Pool.PoolUse), strconv.Itoa(db.Pool.Idle),
				strconv.Itoa(db.Pool.Waiting), strconv.Itoa(db.Parked), db.Health.Detail,
			}
		}
		return rows
	})
}

// printDatabase prints all of a database.
func (s *session) printDatabase(db *sdk.Database) error {
	if s.json() {
		return s.printJSON(db)
	}
	rows := [][]string{
		{"driver", db.Driver},
		{"status", db.Health.Status},
		{"latency", latency(db.Health.LatencyMS)},
		{"effects", db.Health.Effects},
		{"delivery", string(db.Delivery)},
		{"checked", moment(db.Health.CheckedAt)},
		{"in use", inUse(db.Pool.PoolUse)},
		{"idle", strconv.Itoa(db.Pool.Idle)},
		{"waiting", waits(db.Pool.PoolUse)},
		{"parked", strconv.Itoa(db.Parked)},
		{"cache", fmt.Sprintf("%d hits, %d misses", db.Cache.Hits, db.Cache.Misses)},
	}
	for i, problem := range strings.Split(db.Health.Detail, "; ") {
		if problem != "" {
			rows = append(rows, []string{map[bool]string{true: "detail"}[i == 0], problem})
		}
	}
	for _, w := range db.Pool.Workers {
		rows = append(rows, []string{"worker " + w.Worker, fmt.Sprintf("%s in use, %d idle, %d waiting", inUse(w.PoolUse), w.Idle, w.Waiting)})
	}
	return s.printTable([]string{"database", db.Name}, rows)
}

func inUse(p sdk.PoolUse) string { return fmt.Sprintf("%d of %d", p.InUse, p.Max) }

func waits(p sdk.PoolUse) string {
	waited := time.Duration(p.WaitSeconds * float64(time.Second)).Round(time.Millisecond)
	return fmt.Sprintf("%d now, %d so far for %s", p.Waiting, p.Waits, waited)
}

func latency(ms *float64) string {
	if ms == nil {
		return ""
	}
	return strconv.FormatFloat(*ms, 'f', 1, 64) + "ms"
}
