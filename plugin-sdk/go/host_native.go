//go:build !wasip1

package hookgate

import "hookgate/internal/native"

func hostLog(level uint32, message string) { native.Log(level, message) }

func hostSetting(key string) (string, bool) { return native.Setting(key) }
