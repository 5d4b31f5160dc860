package app

import "errors"

// API runs the REST server.
func API(p Process) int {
	var flags apiFlags
	if exit, ok := p.parse("asyncops-api", "The REST server of asyncops.", &flags); !ok {
		return exit
	}
	return p.serve("api", flags.Config, func(s *system) error {
		s.addTargets()
		return s.addAPI(p.Stdout)
	})
}

// Worker runs jobs.
func Worker(p Process) int {
	var flags workerFlags
	if exit, ok := p.parse("asyncops-worker", "A worker of asyncops: it runs jobs.", &flags); !ok {
		return exit
	}
	return p.serve("worker", flags.Config, func(s *system) error {
		s.addTargets()
		s.addProbe(string(flags.Listen), p.Stdout)
		if err := s.addWorker(); err != nil {
			return err
		}
		s.addDrain()
		return nil
	})
}

// Scheduler rings for jobs that became due, fires schedules, takes dead workers'
// jobs from them, and prunes history. Any number of them may run.
func Scheduler(p Process) int {
	var flags schedulerFlags
	if exit, ok := p.parse("asyncops-scheduler", "The scheduler of asyncops: schedules, relay, reaper, retention.", &flags); !ok {
		return exit
	}
	return p.serve("scheduler", flags.Config, func(s *system) error {
		s.start("targets", s.lookAtTargets)
		s.add("fleet", s.fleet.Run)
		s.addScheduler()
		s.addProbe(string(flags.Listen), p.Stdout)
		s.addDrain()
		return nil
	})
}

// serve runs a server of the parts that add adds, until it is told to stop.
func (p Process) serve(name, path string, add func(*system) error) int {
	cfg, log, err := p.load(path, nil)
	if err != nil {
		return p.exit(err)
	}
	s, err := open(cfg, log, name, p.Signers)
	if err != nil {
		return p.exit(err)
	}
	s.addBase()
	if err := add(s); err != nil {
		return p.exit(errors.Join(settings(err), s.close()))
	}
	ctx, stop := untilSignal()
	defer stop()
	return p.exit(s.run(ctx, p))
}
