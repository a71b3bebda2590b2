// Keeping the pace.

package main

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// startPacer calls `due` with the time of each tick, from `start` on and every `interval`, until the file that it returns is
// closed. Go's own timers count whole milliseconds while the program waits for sockets, which is more than a call takes; a timer
// that is itself a file (timerfd_create(2)) does not.
func startPacer(start time.Time, interval time.Duration, due func(at time.Time)) (*os.File, error) {
	const clockMonotonic = 1
	fd, _, errno := syscall.Syscall(syscall.SYS_TIMERFD_CREATE, clockMonotonic, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil, errno
	}
	every := syscall.NsecToTimespec(interval.Nanoseconds())
	spec := [2]syscall.Timespec{every, every}
	_, _, errno = syscall.Syscall6(syscall.SYS_TIMERFD_SETTIME, fd, 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
	if errno != 0 {
		return nil, errno
	}
	timer := os.NewFile(fd, "timer")
	go func() {
		var expirations [8]byte
		for tick := 0; ; {
			if _, err := timer.Read(expirations[:]); err != nil {
				return
			}
			for now := time.Now(); ; tick++ {
				at := start.Add(time.Duration(tick) * interval)
				if at.After(now) {
					break
				}
				due(at)
			}
		}
	}()
	return timer, nil
}
