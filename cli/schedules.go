package cli

import (
	"context"
	"strings"
	"time"

	"github.com/asyncops/asyncops/job"
	"github.com/asyncops/asyncops/sdk"
)

// Run lists the schedules, or shows one.
func (c *schedulesListCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	if c.Name != "" {
		found, err := client.Schedule(ctx, c.Name)
		if err != nil {
			return err
		}
		return s.printSchedule(found)
	}
	schedules, err := client.Schedules(ctx)
	if err != nil {
		return err
	}
	if schedules == nil {
		schedules = []sdk.Schedule{}
	}
	return s.print(schedules, []string{"SCHEDULE", "CRON", "TIMEZONE", "STATUS", "NEXT FIRE", "LAST FIRE", "SOURCE"}, func() [][]string {
		rows := make([][]string, len(schedules))
		for i, found := range schedules {
			next := ""
			if len(found.NextFires) > 0 && !found.Paused {
				next = moment(found.NextFires[0])
			}
			rows[i] = []string{found.Name, found.Cron, found.Timezone, scheduleStatus(&found), next, moment(found.LastFire), string(found.Source)}
		}
		return rows
	})
}

func scheduleStatus(s *sdk.Schedule) string {
	switch {
	case s.Paused:
		return "paused"
	case len(s.NextFires) == 0:
		return "over"
	}
	return "fires"
}

// printSchedule prints all of a schedule.
func (s *session) printSchedule(found *sdk.Schedule) error {
	if s.json() {
		return s.printJSON(found)
	}
	rows := [][]string{
		{"cron", found.Cron},
		{"timezone", found.Timezone},
		{"status", scheduleStatus(found)},
		{"missed", string(found.Missed)},
		{"overlap", string(found.Overlap)},
		{"jitter", found.Jitter},
		{"source", string(found.Source)},
		{"job", compact(found.Job)},
	}
	for _, row := range [][]string{
		{"start", moment(found.Start)}, {"end", moment(found.End)}, {"last fire", moment(found.LastFire)}, {"last job", string(found.LastJob)},
	} {
		if row[1] != "" {
			rows = append(rows, row)
		}
	}
	for i, at := range found.NextFires {
		rows = append(rows, []string{map[bool]string{true: "next fires"}[i == 0], moment(at)})
	}
	return s.printTable([]string{"schedule", found.Name}, rows)
}

// Run makes a schedule.
func (c *schedulesAddCmd) Run(ctx context.Context, s *session) error {
	if c.Jitter < 0 {
		return usage("--jitter: must not be negative")
	}
	submit := submitCmd{
		Kind: c.Kind, Args: c.Args, Queue: c.Queue, Timeout: c.Timeout, MaxAttempts: c.MaxAttempts, Tag: c.Tag, Retention: c.Retention,
	}
	submission, err := submit.submission(s)
	if err != nil {
		return err
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	made, err := client.CreateSchedule(ctx, sdk.ScheduleSpec{
		Name: c.Name, Cron: c.Cron, Timezone: c.Timezone, Job: submission, Missed: job.Missed(c.Missed), Overlap: job.Overlap(c.Overlap),
		Jitter: c.Jitter.Std(), Start: c.Start, End: c.End, Paused: c.Paused,
	})
	if err != nil {
		return err
	}
	return s.printSchedule(made)
}

// Run makes a job of a schedule now.
func (c *schedulesRunCmd) Run(ctx context.Context, s *session) error {
	if c.Wait < 0 {
		return usage("--wait: must not be negative")
	}
	client, err := s.connect()
	if err != nil {
		return err
	}
	made, err := client.RunSchedule(ctx, c.Name, "cli-"+strings.ToLower(string(job.NewID())))
	if err == nil && c.Wait > 0 {
		made, err = client.Wait(ctx, made.ID, c.Wait.Std())
	}
	if err == nil {
		err = complete(ctx, client, made)
	}
	if err != nil {
		return err
	}
	if err := s.printJob(made); err != nil || c.Wait == 0 {
		return err
	}
	return s.verdict(made, time.Duration(c.Wait))
}

// Run pauses a schedule.
func (c *schedulesPauseCmd) Run(ctx context.Context, s *session) error {
	return s.moveSchedule(func(client *sdk.Client) (*sdk.Schedule, error) { return client.PauseSchedule(ctx, c.Name) })
}

// Run resumes a schedule.
func (c *schedulesResumeCmd) Run(ctx context.Context, s *session) error {
	return s.moveSchedule(func(client *sdk.Client) (*sdk.Schedule, error) { return client.ResumeSchedule(ctx, c.Name) })
}

func (s *session) moveSchedule(move func(*sdk.Client) (*sdk.Schedule, error)) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	moved, err := move(client)
	if err != nil {
		return err
	}
	return s.printSchedule(moved)
}

// Run removes a schedule.
func (c *schedulesRemoveCmd) Run(ctx context.Context, s *session) error {
	client, err := s.connect()
	if err != nil {
		return err
	}
	if err := client.DeleteSchedule(ctx, c.Name); err != nil {
		return err
	}
	s.tell("schedule %s is removed", c.Name)
	return nil
}
