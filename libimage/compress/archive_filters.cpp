// bzip2 and xz, to read only: libarchive's filters around its format "raw". The library, which
// pulls in a dozen others, is loaded when the first such stream appears, so that no start of the
// program pays for it.
#include <exception>

#include <archive.h>
#include <dlfcn.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/compress/codec_table.h"
#include "libimage/compress/decoder.h"

namespace lade {
namespace {

constexpr const char* kLibrary = "libarchive.so.13";

struct ArchiveApi {
  decltype(&::archive_read_new) read_new = nullptr;
  decltype(&::archive_read_free) read_free = nullptr;
  decltype(&::archive_read_support_filter_bzip2) support_bzip2 = nullptr;
  decltype(&::archive_read_support_filter_xz) support_xz = nullptr;
  decltype(&::archive_read_support_format_raw) support_raw = nullptr;
  decltype(&::archive_read_support_format_empty) support_empty = nullptr;
  decltype(&::archive_read_open) open = nullptr;
  decltype(&::archive_read_next_header) next_header = nullptr;
  decltype(&::archive_read_data) data = nullptr;
  decltype(&::archive_error_string) error_string = nullptr;
  decltype(&::archive_filter_bytes) filter_bytes = nullptr;
};

std::string dl_reason() {
  const char* reason = ::dlerror();
  return printable(reason != nullptr ? reason : "unknown reason");
}

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function == nullptr) {
    throw Error(Errc::unsupported, cat("load ", kLibrary, ": ", dl_reason()));
  }
}

ArchiveApi load_archive_api() {
  void* library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw Error(Errc::unsupported,
                cat("load ", kLibrary, ", which reads bzip2 and xz: ", dl_reason()));
  }
  ArchiveApi api;
  find(library, "archive_read_new", api.read_new);
  find(library, "archive_read_free", api.read_free);
  find(library, "archive_read_support_filter_bzip2", api.support_bzip2);
  find(library, "archive_read_support_filter_xz", api.support_xz);
  find(library, "archive_read_support_format_raw", api.support_raw);
  find(library, "archive_read_support_format_empty", api.support_empty);
  find(library, "archive_read_open", api.open);
  find(library, "archive_read_next_header", api.next_header);
  find(library, "archive_read_data", api.data);
  find(library, "archive_error_string", api.error_string);
  find(library, "archive_filter_bytes", api.filter_bytes);
  return api;
}

const ArchiveApi& archive_api() {
  static const ArchiveApi api = load_archive_api();  // tried again after a failure
  return api;
}

enum class Filter { bzip2, xz };

class ArchiveSource final : public DecoderSource {
 public:
  ArchiveSource(Filter filter, Source& in, const DecompressOptions& options)
      : DecoderSource(filter == Filter::xz ? "xz" : "bzip2", in, options),
        api_(archive_api()),
        archive_(api_.read_new(), api_.read_free) {
    if (!archive_) throw std::bad_alloc();
    if (filter == Filter::xz) {
      api_.support_xz(archive_.get());
    } else {
      api_.support_bzip2(archive_.get());
    }
    api_.support_raw(archive_.get());
    api_.support_empty(archive_.get());
  }

 private:
  std::size_t decode(std::span<std::byte> out) override;
  [[nodiscard]] std::uint64_t consumed() const noexcept override { return handed_over_; }
  static la_ssize_t read_input(archive* /*handle*/, void* self, const void** data) noexcept;
  void open();
  void check(la_ssize_t result);
  void check_end();

  const ArchiveApi& api_;
  std::unique_ptr<archive, decltype(&::archive_read_free)> archive_;
  bool opened_ = false;
  std::uint64_t handed_over_ = 0;  // input bytes given to the library
  std::exception_ptr input_failure_;
};

la_ssize_t ArchiveSource::read_input(archive* /*handle*/, void* self, const void** data) noexcept {
  auto& source = *static_cast<ArchiveSource*>(self);
  try {
    if (!source.input_.ensure(1)) return 0;
    const ByteView available = source.input_.available();
    *data = available.data();  // stays valid until the next call
    source.input_.consume(available.size());
    source.handed_over_ += available.size();
    return static_cast<la_ssize_t>(available.size());
  } catch (...) {  // must not cross the C library; check() rethrows it
    source.input_failure_ = std::current_exception();
    return -1;
  }
}

void ArchiveSource::check(la_ssize_t result) {
  if (input_failure_) std::rethrow_exception(input_failure_);
  if (result >= 0) return;
  const char* reason = api_.error_string(archive_.get());
  throw_invalid(printable(reason != nullptr ? reason : "the stream is invalid"));
}

void ArchiveSource::open() {
  opened_ = true;
  if (!input_.ensure(1)) throw_truncated();
  check(api_.open(archive_.get(), this, nullptr, read_input, nullptr));
  archive_entry* entry = nullptr;
  const int result = api_.next_header(archive_.get(), &entry);
  check(result);
}

std::size_t ArchiveSource::decode(std::span<std::byte> out) {
  if (!opened_) open();
  const la_ssize_t got = api_.data(archive_.get(), out.data(), out.size());
  check(got);
  if (got == 0) check_end();
  return static_cast<std::size_t>(got);
}

/// The library ignores what follows the last stream; the contract does not.
void ArchiveSource::check_end() {
  while (input_.ensure(1)) {
    handed_over_ += input_.available().size();
    input_.consume(input_.available().size());
  }
  const la_int64_t used = api_.filter_bytes(archive_.get(), -1);
  if (used < 0 || static_cast<std::uint64_t>(used) != handed_over_) {
    throw_invalid("garbage follows the last stream");
  }
}

template <Filter filter>
std::unique_ptr<Source> decompress(Source& in, const DecompressOptions& options) {
  return std::make_unique<ArchiveSource>(filter, in, options);
}

}  // namespace

Codec bzip2_codec() {
  return {.name = "bzip2",
          .media_type_suffix = "+bzip2",
          .compress_to = nullptr,
          .decompress_from = decompress<Filter::bzip2>};
}

Codec xz_codec() {
  return {.name = "xz",
          .media_type_suffix = "+xz",
          .compress_to = nullptr,
          .decompress_from = decompress<Filter::xz>};
}

}  // namespace lade
