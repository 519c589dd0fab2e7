package main

import "context"

func bench(ctx context.Context, c call) error { return nil }
func day(ctx context.Context, c call) error   { return nil }
