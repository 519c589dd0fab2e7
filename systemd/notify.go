package systemd

import (
	"context"
	"fmt"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Ready tells the service manager that the daemon can serve; status is shown by systemctl.
func Ready(status string) error {
	return notify(daemon.SdNotifyReady + "\nSTATUS=" + status)
}

// Stopping tells that the daemon drains and will end.
func Stopping() error { return notify(daemon.SdNotifyStopping) }

func notify(state string) error {
	if _, err := daemon.SdNotify(false, state); err != nil {
		return fmt.Errorf("notify the service manager: %w", err)
	}
	return nil
}

// Watch keeps the watchdog quiet as long as alive answers without an error, and returns when ctx ends; at once when no
// watchdog is set. It asks twice in each interval and gives alive half of one: what hangs longer gets no sign of life,
// and the service manager restarts the daemon. Errors of alive are told to report.
func Watch(ctx context.Context, alive func(context.Context) error, report func(error)) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		report(fmt.Errorf("read the watchdog's interval: %w", err))
	}
	if interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		if err := ask(ctx, alive, interval/2); err != nil {
			report(fmt.Errorf("sign of life: %w", err))
		} else if err := notify(daemon.SdNotifyWatchdog); err != nil {
			report(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func ask(ctx context.Context, alive func(context.Context) error, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	return alive(ctx)
}
