// A goroutine that waits in a loop without calls, with as many processors as there are and with one.
package main

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
)

func spin() {
	var flag atomic.Bool
	go func() {
		time.Sleep(50 * time.Millisecond)
		flag.Store(true)
	}()
	for !flag.Load() {
	}
}

func main() {
	spin()
	runtime.GOMAXPROCS(1)
	spin()
	fmt.Println("go")
}
