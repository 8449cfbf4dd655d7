// skopeo layers: the blobs of an image in a directory of its own
#include <algorithm>
#include <set>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/io/path.h"
#include "libimage/transports/transports.h"

#include "tools/common/terminal.h"
#include "tools/compat/skopeo_commands.h"
#include "tools/compat/skopeo_image.h"

namespace lade::tools::compat {
namespace {

/// What the command line names; with no name all that the manifest lists, each once.
std::vector<oci::Descriptor> wanted_blobs(const std::vector<Digest>& named,
                                          const oci::Manifest& manifest) {
  std::vector<oci::Descriptor> blobs;
  std::set<Digest> seen;
  for (const oci::Descriptor& layer : manifest.layers) {
    if (seen.insert(layer.digest).second) blobs.push_back(layer);
  }
  blobs.push_back(manifest.config);
  if (named.empty()) return blobs;
  std::vector<oci::Descriptor> wanted;
  for (const Digest& digest : named) {
    const auto listed = std::find_if(blobs.begin(), blobs.end(), [&](const oci::Descriptor& blob) {
      return blob.digest == digest;
    });
    if (listed == blobs.end()) throw Fatal(cat("no blob ", digest.str(), " in the image"));
    wanted.push_back(*listed);
  }
  return wanted;
}

void write_blob(const oci::Descriptor& blob, Reader& reader, Writer& writer) {
  if (writer.contains(blob)) return;
  const auto source = reader.open(blob);
  const auto out = writer.start_blob({.expected = blob, .verified_by_source = true});
  pump(*source, *out);
  (void)out->commit(blob.media_type);
}

void write_layers(const Invocation& invocation, const ImageName& name,
                  const std::vector<Digest>& named) {
  WarningLog warnings;
  const auto session = open_session(invocation, "", &warnings);
  const Source source = open_source(name, *session, "");
  const oci::Document document = manifest_document(wanted_platform(invocation.flags), source, "");
  const std::vector<oci::Descriptor> blobs =
      wanted_blobs(named, std::get<oci::Manifest>(document.parsed));
  const OpenedWriter out =
      open_writer({.transport = "dir", .rest = cat("layers-", random_name(10))}, *session);
  for (const oci::Descriptor& blob : blobs) write_blob(blob, *source.reader, *out.writer);
  out.writer->put_manifest(document.descriptor, document.raw);
  // Of a list the list itself is manifest.json, as skopeo has it.
  const oci::Document root = source.reader->document(source.root);
  if (root.descriptor.digest != document.descriptor.digest)
    out.writer->put_manifest(root.descriptor, root.raw);
  out.writer->tag(Tag{}, root.descriptor);
  out.writer->finish();
}

}  // namespace

void skopeo_layers(const Invocation& invocation) {
  print_error("DEPRECATED: skopeo layers is deprecated in favor of skopeo copy\n");
  const std::vector<std::string>& arguments = invocation.flags.arguments();
  if (arguments.empty()) throw Fatal("Usage: layers imageReference [layer...]");
  const ImageName name = parse_name(arguments.front());
  std::vector<Digest> named;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const bool whole = arguments[i].starts_with("sha256:");
    const auto digest = Digest::try_parse(whole ? arguments[i] : cat("sha256:", arguments[i]));
    if (!digest) throw Fatal("invalid checksum digest format");
    named.push_back(*digest);
  }
  with_retries(invocation, [&] { write_layers(invocation, name, named); });
}

}  // namespace lade::tools::compat
