#include <algorithm>
#include <cstring>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/members.h"
#include "libimage/digest/hasher.h"
#include "libimage/io/path.h"
#include "libimage/layer/write_layer.h"
#include "libimage/seekable/annotations.h"
#include "libimage/seekable/chunker.h"
#include "libimage/seekable/footer.h"
#include "libimage/seekable/seekable.h"
#include "libimage/seekable/table_writer.h"
#include "libimage/seekable/tap.h"
#include "libimage/seekable/tar_split.h"

namespace lade {
namespace seekable {
namespace {

/// Table and tar-split data are compressed in pieces of this size, which keeps their buffers small.
constexpr std::size_t kTablePiece = std::size_t{256} * 1024;

/// What a hole is made of: blocks of a file, in their places, with nothing but zeros. As large as
/// makes a chunk of its own worth its line in the table. Part of the output format.
constexpr std::size_t kHoleBlock = std::size_t{64} * 1024;
static_assert(kChunkBytes % kHoleBlock == 0);

bool is_zeros(ByteView bytes) {
  return bytes.front() == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

constexpr std::size_t kTarTrailer = std::size_t{2} * 512;  // the end of every tar

/// Counts what the members are, and leaves finishing to who writes behind them.
class Behind final : public Sink {
 public:
  explicit Behind(Sink& next) : next_(next) {}
  void write(ByteView data) override {
    bytes_ += data.size();
    next_.write(data);
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  Sink& next_;
  std::uint64_t bytes_ = 0;
};

/// Text compressed with zstd as it comes, and its size.
class CompressedText {
 public:
  explicit CompressedText(const CompressOptions& options)
      : members_(member_sink("zstd", compressed_, {.level = options.level, .threads = 1}, {},
                             kTablePiece)),
        counted_(*members_) {}
  Sink& sink() { return counted_; }
  const std::string& finish() {
    counted_.finish();
    return compressed_.text();
  }
  [[nodiscard]] std::uint64_t text_bytes() const { return counted_.bytes(); }

 private:
  StringSink compressed_;
  std::unique_ptr<MemberSink> members_;
  CountingSink counted_;
};

class SeekableWriter {
 public:
  SeekableWriter(SeekableFormat format, Source& tar, Sink& out, const CompressOptions& options);
  SeekableLayer run();

 private:
  bool add_entry();
  void give_up(std::string reason);
  template <typename Call>
  bool describes(const Call& call);
  bool must_drop(const std::string& path) const;
  void write_entry(WrittenEntry written, ByteView headers);
  bool write_content(WrittenEntry& written);
  void fill_buffer(std::size_t& filled);
  void write_file_bytes(WrittenEntry& written, ByteView data);
  void write_chunks(WrittenEntry& written, ByteView data);
  void write_bytes(ByteView data);
  void start_file();
  void end_chunk(WrittenEntry& written);
  void end_file(WrittenEntry& written);
  void write_tar(ByteView bytes);
  void write_rest();
  void align();
  void finish_zstd_chunked();
  void finish_estargz();
  void write_landmark();

  const SeekableFormat format_;
  const CompressOptions options_;
  Sink& final_;
  Behind out_;
  Tap tap_;
  TarReader reader_;
  MemberPlaces places_;
  CompressedText table_text_;  // zstd:chunked
  StringSink estargz_text_;    // eStargz
  TableWriter table_;
  CompressedText split_text_;
  TarSplitWriter split_;
  std::unique_ptr<MemberSink> members_;            // last: its threads use what is above
  std::set<std::string, std::less<>> paths_ = {};  // zstd:chunked: no path twice
  std::optional<Hasher> tar_hasher_;
  SeekableLayer result_;
  std::vector<std::byte> buffer_;

  // The file that is being written.
  Chunker chunker_;
  std::optional<Hasher> file_hasher_;
  std::optional<Hasher> chunk_hasher_;
  std::uint64_t crc_ = 0;
  std::uint64_t file_bytes_ = 0;
  std::uint64_t chunk_start_ = 0;
  bool in_hole_ = false;  // the chunk is one of zeros
};

SeekableWriter::SeekableWriter(SeekableFormat format, Source& tar, Sink& out,
                               const CompressOptions& options)
    : format_(format),
      options_(options),
      final_(out),
      out_(out),
      tap_(tar),
      reader_(tap_),
      table_text_(format == SeekableFormat::zstd_chunked ? options : CompressOptions{}),
      table_(format, places_,
             format == SeekableFormat::zstd_chunked ? table_text_.sink() : estargz_text_),
      split_text_(format == SeekableFormat::zstd_chunked ? options : CompressOptions{}),
      split_(split_text_.sink()),
      members_(member_sink(codec_of(format), out_, options,
                           [this](std::uint64_t size) { places_.add(size); })),
      buffer_(kChunkBytes) {
  if (format == SeekableFormat::estargz) tar_hasher_.emplace();
}

/// Runs a call of the tar reader. What the reader refuses is no error here, only the end of the
/// description.
template <typename Call>
bool SeekableWriter::describes(const Call& call) {
  try {
    call();
    return true;
  } catch (const Error& e) {
    if (tap_.failed()) throw;
    give_up(e.what());
    return false;
  }
}

void SeekableWriter::give_up(std::string reason) { result_.plain_because = std::move(reason); }

void SeekableWriter::write_tar(ByteView bytes) {
  if (tar_hasher_) tar_hasher_->update(bytes);
  result_.uncompressed_bytes += bytes.size();
  members_->write(bytes);
}

SeekableLayer SeekableWriter::run() {
  while (add_entry()) {
  }
  const bool described = result_.plain_because.empty();
  if (!described || format_ == SeekableFormat::zstd_chunked) {
    write_rest();
  } else {
    (void)tap_.take_kept();  // the end of the archive moves behind the table
    while (tap_.read(buffer_) != 0) (void)tap_.take_kept();
  }
  if (!described) {
    members_->finish();
  } else if (format_ == SeekableFormat::zstd_chunked) {
    finish_zstd_chunked();
  } else {
    finish_estargz();
  }
  final_.finish();
  if (described && tar_hasher_) result_.diff_id = DiffId{tar_hasher_->digest()};
  return std::move(result_);
}

/// One entry of the tar; false at its end, and where the description has to end.
bool SeekableWriter::add_entry() {
  std::optional<TarEntry> entry;
  TarHeaderFacts facts;
  const bool read = describes([&] {
    entry = reader_.next();
    if (entry) facts = reader_.facts();
  });
  if (!read || !entry) return false;
  std::string reason = cannot_describe(format_, *entry, facts);
  if (format_ == SeekableFormat::zstd_chunked && reason.empty() &&
      !paths_.insert(clean_path(entry->path)).second) {
    reason = cat("it holds ", quoted(entry->path), " twice");
  }
  if (!reason.empty()) {
    give_up(std::move(reason));
    return false;
  }
  const ByteView headers = tap_.take_to(reader_.position());
  if (must_drop(entry->path)) {
    align();
    return describes([&] {
      for (std::size_t got = 1; got != 0; (void)tap_.take(got)) got = reader_.read(buffer_);
    });
  }
  WrittenEntry written{.entry = std::move(*entry), .facts = std::move(facts)};
  if (format_ == SeekableFormat::zstd_chunked) split_.segment(headers);
  write_tar(headers);
  if (!write_content(written)) return false;
  if (format_ == SeekableFormat::zstd_chunked) {
    split_.file(written.entry.path, written.entry.attributes.size, crc_);
  }
  table_.add(written);
  places_.forget(table_.settle());
  return true;
}

/// What an eStargz layer has of the format already is made again.
bool SeekableWriter::must_drop(const std::string& path) const {
  if (format_ != SeekableFormat::estargz) return false;
  const std::string clean = clean_path(path);
  return clean == kStargzTable || clean == kPrefetchLandmark || clean == kNoPrefetchLandmark;
}

bool SeekableWriter::write_content(WrittenEntry& written) {
  start_file();
  if (written.entry.attributes.size == 0) return true;
  members_->cut();
  for (;;) {
    std::size_t filled = 0;
    const bool read = describes([&] { fill_buffer(filled); });
    const ByteView bytes = ByteView(buffer_).first(filled);
    if (!read) {
      write_tar(bytes);
      return false;
    }
    if (bytes.empty()) break;
    write_file_bytes(written, bytes);
  }
  end_file(written);
  return true;
}

/// Bytes of the file, as many as the buffer holds but at its end: where holes are found does not
/// depend on how the source gives them. `filled` counts them, also if the reader throws.
void SeekableWriter::fill_buffer(std::size_t& filled) {
  while (filled < buffer_.size()) {
    const std::size_t got = reader_.read(std::span(buffer_).subspan(filled));
    if (got == 0) break;
    (void)tap_.take(got);
    filled += got;
  }
}

void SeekableWriter::start_file() {
  file_hasher_.emplace();
  chunk_hasher_.reset();
  crc_ = 0;
  file_bytes_ = 0;
  chunk_start_ = 0;
  in_hole_ = false;
  chunker_ = Chunker();
}

void SeekableWriter::write_file_bytes(WrittenEntry& written, ByteView data) {
  if (format_ == SeekableFormat::zstd_chunked) crc_ = crc64_iso(crc_, data);
  if (format_ != SeekableFormat::zstd_chunked ||
      written.entry.attributes.size <= Chunker::kSmallest) {
    write_chunks(written, data);
    return;
  }
  while (!data.empty()) {
    const ByteView block = data.first(std::min(data.size(), kHoleBlock));
    data = data.subspan(block.size());
    const bool zeros = block.size() == kHoleBlock && is_zeros(block);
    const bool full = in_hole_ && file_bytes_ - chunk_start_ >= Chunker::kLargest;
    if ((zeros != in_hole_ || full) && file_bytes_ != chunk_start_) end_chunk(written);
    in_hole_ = zeros;
    if (zeros) {
      write_bytes(block);
    } else {
      write_chunks(written, block);
    }
  }
}

void SeekableWriter::write_chunks(WrittenEntry& written, ByteView data) {
  while (!data.empty()) {
    const std::size_t count = chunker_.take(data);
    write_bytes(data.first(count));
    data = data.subspan(count);
    if (chunker_.at_end()) end_chunk(written);
  }
}

void SeekableWriter::write_bytes(ByteView data) {
  file_hasher_->update(data);
  if (chunk_hasher_) chunk_hasher_->update(data);
  write_tar(data);
  file_bytes_ += data.size();
}

void SeekableWriter::end_chunk(WrittenEntry& written) {
  WrittenChunk chunk{.member = members_->members(),
                     .file_offset = chunk_start_,
                     .size = file_bytes_ - chunk_start_,
                     .zeros = in_hole_};
  if (written.entry.attributes.size > Chunker::kSmallest) {
    // The first chunk is what the file's own digest is of so far.
    chunk.digest = chunk_hasher_ ? chunk_hasher_->digest() : file_hasher_->digest();
    chunk_hasher_.reset();
    if (file_bytes_ < written.entry.attributes.size) chunk_hasher_.emplace();
  }
  written.chunks.push_back(std::move(chunk));
  members_->cut();
  chunk_start_ = file_bytes_;
  chunker_ = Chunker();
}

void SeekableWriter::end_file(WrittenEntry& written) {
  if (file_bytes_ != chunk_start_) end_chunk(written);
  written.digest = file_hasher_->digest();
}

/// Everything that was not taken yet, as it is.
void SeekableWriter::write_rest() {
  const bool describe = result_.plain_because.empty();
  const auto write = [&](ByteView bytes) {
    while (!bytes.empty()) {
      const ByteView piece = bytes.first(std::min(bytes.size(), kChunkBytes));
      if (describe) split_.segment(piece);
      write_tar(piece);
      bytes = bytes.subspan(piece.size());
    }
  };
  write(tap_.take_kept());
  while (tap_.read(buffer_) != 0) write(tap_.take_kept());
}

void SeekableWriter::finish_zstd_chunked() {
  members_->finish();
  const std::string& split = split_text_.finish();
  const Digest split_digest = sha256_of(split);
  table_.finish(split_digest);
  const std::string& table = table_text_.finish();
  constexpr std::size_t kMostFrame = 0xFFFF'FFFF;
  if (table.size() > kMostFrame || split.size() > kMostFrame) {
    give_up("its table does not fit a frame");
    return;
  }
  TablePlace place{.format = TableFormat::zstd_chunked};
  const auto put = [&](const std::string& content) {
    const std::string frame = skippable_frame(content);
    const BlobRange range{out_.bytes() + frame.size() - content.size(), content.size()};
    out_.write(bytes_of(frame));
    return range;
  };
  place.table = put(table);
  place.table_text_bytes = table_text_.text_bytes();
  place.tar_split = put(split);
  place.tar_split_text_bytes = split_text_.text_bytes();
  out_.write(bytes_of(zstd_chunked_footer(place)));
  constexpr int kTypeCrfs = 1;
  result_.annotations = {
      {std::string(kChunkedChecksum), sha256_of(table).str()},
      {std::string(kChunkedPosition),
       cat(place.table.offset, ":", place.table.size, ":", place.table_text_bytes, ":", kTypeCrfs)},
      {std::string(kTarSplitChecksum), split_digest.str()},
      {std::string(kTarSplitPosition),
       cat(place.tar_split->offset, ":", place.tar_split->size, ":", place.tar_split_text_bytes)}};
}

/// Fills the last block of the tar.
void SeekableWriter::align() {
  static constexpr std::array<std::byte, 512> kZeros = {};
  const std::size_t over = static_cast<std::size_t>(result_.uncompressed_bytes % kZeros.size());
  if (over != 0) write_tar(std::span(kZeros).first(kZeros.size() - over));
}

std::string tar_of(std::string_view name, std::string content) {
  LayerEntry entry{.path = std::string(name)};
  entry.attributes.mode = 0444;
  entry.attributes.size = content.size();
  entry.content.text = std::make_shared<const std::string>(std::move(content));
  StringSink tar;
  lade::write_tar(std::span(&entry, 1), tar, {.readers = 0});
  return tar.take();
}

/// A file that tells readers to fetch nothing ahead: nobody has said what will be needed.
void SeekableWriter::write_landmark() {
  std::string tar = tar_of(kNoPrefetchLandmark, "\x0F");
  tar.resize(tar.size() - kTarTrailer);
  StringSource source(tar);
  TarReader reader(source);
  WrittenEntry written{.entry = *reader.next(), .facts = reader.facts()};
  const ByteView bytes = bytes_of(tar);
  write_tar(bytes.first(512));
  start_file();
  members_->cut();
  write_file_bytes(written, bytes.subspan(512, 1));
  end_file(written);
  write_tar(bytes.subspan(513));
  table_.add(written);
}

void SeekableWriter::finish_estargz() {
  align();
  write_landmark();
  members_->finish();
  table_.finish(std::nullopt);
  const std::uint64_t offset = out_.bytes();
  const Digest digest = sha256_of(estargz_text_.text());
  const std::string tar = tar_of(kStargzTable, estargz_text_.take());
  if (tar_hasher_) tar_hasher_->update(tar);
  result_.uncompressed_bytes += tar.size();
  out_.write(bytes_of(one_member("gzip", tar, options_)));
  out_.write(bytes_of(estargz_footer(offset)));
  result_.annotations = {{std::string(kStargzDigest), digest.str()},
                         {std::string(kStargzUncompressedSize), cat(result_.uncompressed_bytes)}};
}

}  // namespace
}  // namespace seekable

SeekableLayer write_seekable(SeekableFormat format, Source& tar, Sink& out,
                             const CompressOptions& options) {
  return seekable::SeekableWriter(format, tar, out, options).run();
}

}  // namespace lade
