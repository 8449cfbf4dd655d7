/// Streams made of members that are compressed independently, in parallel and in order.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "libimage/io/stream.h"

namespace lade {

/// Compresses one member after another; used by one thread.
class MemberCompressor {
 public:
  virtual ~MemberCompressor() = default;
  /// Compresses `in` (at most MemberFormat::input bytes) into `out` (MemberFormat::bound bytes) and
  /// returns the size.
  virtual std::size_t compress(ByteView in, std::span<std::byte> out) = 0;
};

/// How members are made.
struct MemberFormat {
  /// Input bytes of a member. Part of the output format: another value gives other bytes, hence
  /// other digests of the same layer.
  std::size_t input = 0;
  std::size_t bound = 0;  ///< most bytes that `input` bytes become; at least `input`
  int level = 0;
  std::unique_ptr<MemberCompressor> (*make_compressor)(int level) = nullptr;
};

/// Cuts its input into members, compresses them on its own threads, and writes them to `out` in
/// order. Members end where they are full, or earlier where the caller says so; short ones share a
/// buffer, so that threads meet once for many.
///
/// The caller's thread only fills buffers. Members are written by the thread that completes the
/// next one in order, so `out` is called by one thread at a time, but not always the same. Memory:
/// at most 2 * threads + 3 buffers of a member. Content of at most one buffer is compressed in
/// finish() and starts no thread. Failures of `out` leave write() or finish(); destroyed
/// unfinished, it stops its threads and `out` is never finished.
class MemberSink final : public Sink {
 public:
  /// `on_member`, if set, is told the compressed size of each member, in order, before `out` gets
  /// it; called by one thread at a time, but not always the same.
  MemberSink(Sink& out, const MemberFormat& format, unsigned threads,
             std::function<void(std::uint64_t)> on_member = {});
  ~MemberSink() override;
  MemberSink(const MemberSink&) = delete;
  MemberSink& operator=(const MemberSink&) = delete;
  void write(ByteView data) override;
  void finish() override;
  /// Ends the member that is being filled; nothing if it is empty.
  void cut();
  /// Members that have ended, full ones included: the number of the next one.
  [[nodiscard]] std::uint64_t members() const noexcept { return members_; }

 private:
  using Buffer = std::unique_ptr<std::byte[]>;
  /// Neighbouring members in one buffer.
  struct Batch {
    std::uint64_t index = 0;
    Buffer bytes = {};
    std::vector<std::size_t> ends = {};  // of each member, in `bytes`: never empty
  };

  [[nodiscard]] Buffer new_buffer() const;
  Buffer take_buffer();
  void make_room();
  void submit();
  void compress(Batch& batch, MemberCompressor& compressor, Buffer& scratch) const;
  void emit(const Batch& batch);
  void work();
  void compress_queued();
  void emit_in_order(std::unique_lock<std::mutex>& lock);
  void stop_threads() noexcept;
  [[nodiscard]] bool may_work() const {
    return !queue_.empty() || stopping_ || failure_ != nullptr;
  }

  Sink& out_;
  const MemberFormat format_;
  const std::size_t capacity_;  // of each buffer
  const unsigned max_threads_;
  const std::size_t max_in_flight_;
  const std::function<void(std::uint64_t)> on_member_;
  Buffer current_ = {};
  std::size_t filled_ = 0;
  std::vector<std::size_t> ends_ = {};  // of the members that have ended in current_
  std::uint64_t members_ = 0;

  std::mutex mutex_;
  std::condition_variable work_ready_;
  std::condition_variable room_;
  std::deque<Batch> queue_;              // guarded by mutex_: to compress
  std::map<std::uint64_t, Batch> done_;  // guarded by mutex_: compressed, not yet written
  std::vector<Buffer> spare_;            // guarded by mutex_
  std::uint64_t submitted_ = 0;          // guarded by mutex_
  std::uint64_t emitted_ = 0;            // guarded by mutex_
  unsigned idle_ = 0;                    // guarded by mutex_: threads that wait for work
  bool emitting_ = false;                // guarded by mutex_: a thread is inside out_
  bool stopping_ = false;                // guarded by mutex_
  std::exception_ptr failure_;           // guarded by mutex_: the first
  std::vector<std::thread> threads_;     // the caller's
};

}  // namespace lade
