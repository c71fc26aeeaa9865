package trusql

// FileAddress is how Open opens a file.
func FileAddress(path string) string { return fileAddress(path) }
