package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Println("hello from Go on", runtime.GOOS, os.Getuid())
}
