// Indexes of layers as they are kept: rows in order, each path by what it shares with the one
// before it, numbers in seven bits a byte; zstd and a checksum around it.
#include <algorithm>
#include <cstring>
#include <limits>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec.h"
#include "libimage/digest/hasher.h"
#include "libimage/files/layer_files.h"

namespace lade::files {
namespace {

constexpr std::string_view kMagic = "lade-files-1\n";
constexpr std::size_t kHexDigits = 64;  // of the checksum
constexpr std::uint64_t kMaxIndexBytes = std::uint64_t{1} << 30U;
constexpr std::size_t kMaxPathBytes = std::size_t{64} * 1024;

class IndexWriter {
 public:
  explicit IndexWriter(Sink& sink) : sink_(sink) {}
  void number(std::uint64_t value) {
    for (; value >= 0x80U; value >>= 7U) out_ += static_cast<char>(value | 0x80U);
    out_ += static_cast<char>(value);
  }
  void text(std::string_view text) {
    number(text.size());
    out_ += text;
  }
  /// By what it shares with the last path written.
  void path(const std::string& path) {
    const auto differs = std::mismatch(path.begin(), path.end(), last_.begin(), last_.end()).first;
    const auto shared = static_cast<std::size_t>(differs - path.begin());
    number(shared);
    text(std::string_view(path).substr(shared));
    last_ = path;
  }
  void raw(std::string_view bytes) { out_ += bytes; }
  /// Between two rows: passes on what has come together.
  void flush(std::size_t from = kChunkBytes) {
    if (out_.size() < from) return;
    sink_.write(bytes_of(out_));
    out_.clear();
  }

 private:
  Sink& sink_;
  std::string out_;
  std::string last_;
};

/// Throws Error{invalid_content} where the bytes end too early.
class IndexReader {
 public:
  explicit IndexReader(std::string_view bytes) : rest_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(raw(1)[0]);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80U) return value;
    }
    fail();
  }
  template <typename Number>
  Number number_of() {
    const std::uint64_t value = number();
    if (value > std::numeric_limits<Number>::max()) fail();
    return static_cast<Number>(value);
  }
  std::string_view text() { return raw(number()); }
  std::string_view raw(std::uint64_t size) {
    if (size > rest_.size()) fail();
    const std::string_view out = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(out.size());
    return out;
  }
  const std::string& path() {
    const std::uint64_t shared = number();
    if (shared > last_.size()) fail();
    last_.resize(static_cast<std::size_t>(shared));
    last_ += text();
    if (last_.size() > kMaxPathBytes) fail();
    return last_;
  }
  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }
  [[noreturn]] static void fail() { throw Error(Errc::invalid_content, "a damaged index"); }

 private:
  std::string_view rest_;
  std::string last_;
};

void write_row(IndexWriter& out, const FileRow& row, const FilePool& pool) {
  out.number(static_cast<std::uint64_t>(row.kind) | (row.sparse ? 16U : 0U) |
             (row.digest != 0 ? 32U : 0U) | (row.xattrs != 0 ? 64U : 0U));
  out.path(pool.paths.path(row.path));
  if (row.kind == FileKind::whiteout || row.kind == FileKind::opaque) return;
  if (row.kind == FileKind::hardlink) return out.text(pool.paths.path(row.link));
  out.number(row.mode);
  out.number(row.uid);
  out.number(row.gid);
  out.number(row.size);
  out.number(static_cast<std::uint64_t>(row.mtime));
  out.number(row.mtime_nanoseconds);
  if (row.kind == FileKind::regular) out.number(row.place);
  if (row.kind == FileKind::symlink) out.text(pool.text(row.link));
  if (row.digest != 0) {
    const FilePool::Sha256& digest = pool.digest(row.digest);
    out.raw({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }
  if (row.xattrs != 0) {
    const auto xattrs = pool.xattrs(row.xattrs);
    out.number(xattrs.size());
    for (const auto& [name, value] : xattrs) {
      out.text(name);
      out.text(value);
    }
  }
}

/// A path as clean_path() leaves it.
std::string_view checked_path(std::string_view path) {
  if (path.empty()) return path;
  for (const std::string_view name : split(path, '/')) {
    if (name.empty() || name == "." || name == "..") IndexReader::fail();
  }
  return path;
}

FileRow read_row(IndexReader& in, FilePool& pool) {
  FileRow row;
  const std::uint64_t flags = in.number();
  if (flags >= 128 || flags % 16U > static_cast<unsigned>(FileKind::opaque)) in.fail();
  row.kind = static_cast<FileKind>(flags % 16U);
  row.sparse = (flags & 16U) != 0;
  row.path = pool.paths.add(checked_path(in.path()));
  if (row.kind == FileKind::whiteout || row.kind == FileKind::opaque) return row;
  if (row.kind == FileKind::hardlink) {
    row.link = pool.paths.add(checked_path(in.text()));
    return row;
  }
  row.mode = in.number_of<std::uint16_t>();
  row.uid = in.number_of<std::uint32_t>();
  row.gid = in.number_of<std::uint32_t>();
  row.size = in.number();
  row.mtime = static_cast<std::int64_t>(in.number());
  row.mtime_nanoseconds = in.number_of<std::uint32_t>();
  if (row.kind == FileKind::regular) row.place = in.number();
  if (row.kind == FileKind::symlink) row.link = pool.add_text(in.text());
  if ((flags & 32U) != 0) {
    FilePool::Sha256 digest{};
    std::memcpy(digest.data(), in.raw(digest.size()).data(), digest.size());
    row.digest = pool.add_digest(digest);
  }
  if ((flags & 64U) != 0) {
    std::map<std::string, std::string> xattrs;
    for (std::uint64_t left = in.number(); left > 0; --left) {
      std::string name(in.text());
      xattrs.insert_or_assign(std::move(name), std::string(in.text()));
    }
    row.xattrs = pool.add_xattrs(xattrs);
  }
  return row;
}

LayerFiles read_rows(IndexReader& in, FilePool& pool) {
  LayerFiles out{.from = LayerFiles::From::index};
  out.plain = in.number() != 0;
  const std::string_view seek = in.text();
  if (!seek.empty()) {
    std::optional<SeekTable> table = SeekTable::load(seek);
    if (table) out.seek = std::make_shared<const SeekTable>(*std::move(table));
  }
  for (std::uint64_t left = in.number(); left > 0; --left) {
    out.rows.push_back(read_row(in, pool));
    if (out.rows.back().kind == FileKind::regular) out.content_bytes += out.rows.back().size;
  }
  if (!in.done()) in.fail();
  return out;
}

}  // namespace

std::string write_index(const LayerFiles& layer, const FilePool& pool) {
  StringSink out;
  out.write(bytes_of(cat(kMagic, std::string(kHexDigits, '0'))));
  const auto zstd = codec_named("zstd").compress_to(out, {.level = 1, .threads = 1});
  IndexWriter body(*zstd);
  body.number(layer.plain ? 1 : 0);
  body.text(layer.seek ? layer.seek->saved() : std::string());
  body.number(layer.rows.size());
  for (const FileRow& row : layer.rows) {
    write_row(body, row, pool);
    body.flush();
  }
  body.flush(0);
  zstd->finish();
  std::string bytes = out.take();
  const std::string_view packed = std::string_view(bytes).substr(kMagic.size() + kHexDigits);
  bytes.replace(kMagic.size(), kHexDigits, sha256_of(packed).encoded());
  return bytes;
}

std::optional<LayerFiles> read_index(std::string_view bytes, FilePool& pool) {
  if (!bytes.starts_with(kMagic) || bytes.size() < kMagic.size() + kHexDigits) return std::nullopt;
  bytes.remove_prefix(kMagic.size());
  const std::string_view packed = bytes.substr(kHexDigits);
  if (sha256_of(packed).encoded() != bytes.substr(0, kHexDigits)) return std::nullopt;
  try {
    StringSource in(packed);
    const auto plain =
        codec_named("zstd").decompress_from(in, {.max_output = kMaxIndexBytes, .max_ratio = 0});
    const std::string body = read_all(*plain, kMaxIndexBytes, "index");
    IndexReader reader(body);
    return read_rows(reader, pool);
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace lade::files
