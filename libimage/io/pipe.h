/// Overlap of pipeline stages: a bounded queue of chunks between two threads.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "libimage/io/stream.h"

namespace lade {

/// Bounded queue of byte chunks with one writer and one reader. Either side can end it with an
/// error, which the other side's next call throws.
class Pipe {
 public:
  explicit Pipe(std::size_t capacity_bytes = std::size_t{4} * 1024 * 1024)
      : capacity_(capacity_bytes) {}

  /// Appends, waiting while the pipe is full. Throws the reader's failure, or Cancelled if `stop`
  /// is requested.
  void write(std::vector<std::byte> chunk, const std::stop_token& stop = {});
  /// The writer is done: the reader sees the end after what is queued.
  void close();
  /// The writer failed: the reader's next read() throws `error`.
  void fail(std::exception_ptr error);
  /// The reader gave up: the writer's next write() throws `error`.
  void abandon(std::exception_ptr error);
  /// Next chunk, waiting while empty; an empty chunk is the end. Throws the writer's failure, or
  /// Cancelled.
  std::vector<std::byte> read(const std::stop_token& stop = {});
  /// Memory for a chunk, of any size: what recycle() was given, if anything was.
  std::vector<std::byte> spare();
  /// Takes back a chunk that was read: fresh pages cost more than copying does.
  void recycle(std::vector<std::byte> chunk);

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<std::vector<std::byte>> chunks_;   // guarded by mutex_
  std::vector<std::vector<std::byte>> spares_;  // guarded by mutex_
  std::size_t bytes_ = 0;                       // guarded by mutex_
  bool closed_ = false;                         // guarded by mutex_
  std::exception_ptr writer_error_;             // guarded by mutex_
  std::exception_ptr reader_error_;             // guarded by mutex_
  const std::size_t capacity_;
};

/// What a pipe carries, as a stream. Borrows the pipe.
class PipeSource final : public Source {
 public:
  explicit PipeSource(Pipe& pipe, std::stop_token stop = {})
      : pipe_(pipe), stop_(std::move(stop)) {}
  std::size_t read(std::span<std::byte> out) override;

 private:
  Pipe& pipe_;
  std::stop_token stop_;
  std::vector<std::byte> current_;
  std::size_t at_ = 0;
};

/// Runs the stages behind it on a thread of its own. finish() waits for them and throws what they
/// threw; destroyed unfinished, it stops the thread and `next` is never finished.
class AsyncSink final : public Sink {
 public:
  explicit AsyncSink(Sink& next, std::size_t capacity_bytes = std::size_t{4} * 1024 * 1024);
  ~AsyncSink() override;
  AsyncSink(const AsyncSink&) = delete;
  AsyncSink& operator=(const AsyncSink&) = delete;
  void write(ByteView data) override;
  void finish() override;

 private:
  void run(const std::stop_token& stop);

  Sink& next_;
  Pipe pipe_;
  std::vector<std::byte> pending_;
  std::exception_ptr failure_;  // written by the thread, read after join
  std::jthread thread_;
};

/// Reads ahead from `source` (owned, or borrowed) on a thread of its own.
class ReadAheadSource final : public Source {
 public:
  explicit ReadAheadSource(std::unique_ptr<Source> source,
                           std::size_t capacity_bytes = std::size_t{4} * 1024 * 1024);
  explicit ReadAheadSource(Source& source,
                           std::size_t capacity_bytes = std::size_t{4} * 1024 * 1024);
  ~ReadAheadSource() override;
  ReadAheadSource(const ReadAheadSource&) = delete;
  ReadAheadSource& operator=(const ReadAheadSource&) = delete;
  std::size_t read(std::span<std::byte> out) override;

 private:
  void run(const std::stop_token& stop);

  std::unique_ptr<Source> owned_;
  Source& source_;
  Pipe pipe_;
  PipeSource from_{pipe_};
  std::jthread thread_;
};

}  // namespace lade
