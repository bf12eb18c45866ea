// A loop as a user would write it with the AWS SDK for Go: one parallel Scan of four segments,
// sixteen goroutines that write batches and send unprocessed items again.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	source, target           = "bench-source", "bench-target"
	segments, writers, batch = 4, 16, 25
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func scan(client *dynamodb.Client, segment int32, batches chan<- []types.WriteRequest) {
	var start map[string]types.AttributeValue
	for {
		page := must(client.Scan(context.TODO(), &dynamodb.ScanInput{
			TableName: aws.String(source), Segment: aws.Int32(segment),
			TotalSegments: aws.Int32(segments), ExclusiveStartKey: start,
		}))
		for first := 0; first < len(page.Items); first += batch {
			var requests []types.WriteRequest
			for _, item := range page.Items[first:min(first+batch, len(page.Items))] {
				requests = append(requests, types.WriteRequest{PutRequest: &types.PutRequest{Item: item}})
			}
			batches <- requests
		}
		if start = page.LastEvaluatedKey; start == nil {
			return
		}
	}
}

func main() {
	client := dynamodb.New(dynamodb.Options{
		Region:       "us-east-1",
		BaseEndpoint: aws.String(os.Args[1]),
		Credentials:  credentials.NewStaticCredentialsProvider("bench", "bench", ""),
	})
	batches := make(chan []types.WriteRequest, writers)
	var readers, writing sync.WaitGroup
	var written atomic.Int64
	for segment := range int32(segments) {
		readers.Add(1)
		go func() { defer readers.Done(); scan(client, segment, batches) }()
	}
	for range writers {
		writing.Add(1)
		go func() {
			defer writing.Done()
			for requests := range batches {
				written.Add(int64(len(requests)))
				for left := map[string][]types.WriteRequest{target: requests}; len(left) > 0; {
					left = must(client.BatchWriteItem(context.TODO(),
						&dynamodb.BatchWriteItemInput{RequestItems: left})).UnprocessedItems
				}
			}
		}()
	}
	readers.Wait()
	close(batches)
	writing.Wait()
	fmt.Println(written.Load())
}
