package trusql

// OpenFile is how Open opens a file.
var OpenFile = openFile
