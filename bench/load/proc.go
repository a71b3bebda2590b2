// What the kernel says of the processes that are measured.

package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// cpuNs is the processor time of all threads of a process by the scheduler's own count, in nanoseconds (proc(5), schedstat).
func cpuNs(pid int) (int64, error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("process %d is gone", pid)
	}
	var sum int64
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // A thread that ended since the folder was listed.
		}
		var ns int64
		if _, err := fmt.Sscan(string(text), &ns); err != nil {
			return 0, fmt.Errorf("%s is no schedstat: %q", file, text)
		}
		sum += ns
	}
	return sum, nil
}

func cpuOf(pids []int) ([]int64, error) {
	all := make([]int64, len(pids))
	for i, pid := range pids {
		ns, err := cpuNs(pid)
		if err != nil {
			return nil, err
		}
		all[i] = ns
	}
	return all, nil
}
