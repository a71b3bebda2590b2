// Orders and results, as lines of JSON.

package main

// order is what the load generator is told to do; ../load-order.ts says what each field means.
type order struct {
	Kind            string   `json:"kind"`
	Port            int      `json:"port"`
	Connections     int      `json:"connections"`
	Streams         int      `json:"streams"`
	IdleConnections int      `json:"idleConnections"`
	StoppedReaders  int      `json:"stoppedReaders"`
	HasBulk         bool     `json:"hasBulk"`
	Targets         []string `json:"targets"`
	RequestBytes    int      `json:"requestBytes"`
	AnswerBytes     int      `json:"answerBytes"`
	IsChunked       bool     `json:"isChunked"`
	// 0: saturated.
	PerSecond  float64 `json:"perSecond"`
	RunUpMs    int     `json:"runUpMs"`
	MeasuredMs int     `json:"measuredMs"`
	Pids       []int   `json:"pids"`
}

type message struct {
	Kind   string  `json:"kind"`
	Result *result `json:"result,omitempty"`
	Reason string  `json:"reason,omitempty"`
}

type result struct {
	Calls         int         `json:"calls"`
	Due           int         `json:"due"`
	Failures      int         `json:"failures"`
	Reasons       []string    `json:"reasons"`
	Seconds       float64     `json:"seconds"`
	Bytes         int64       `json:"bytes"`
	BulkBytes     int64       `json:"bulkBytes"`
	LatencyMicros percentiles `json:"latencyMicros"`
	LateMicros    percentiles `json:"lateMicros"`
	CPUMicros     []float64   `json:"cpuMicros"`
	OwnCPUMicros  float64     `json:"ownCpuMicros"`
}

type percentiles struct {
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}
