/// The options of 'lade build' that say what becomes of the finished stages, to values.
#pragma once
#include <array>
#include <vector>

#include "libimage/build/build.h"

#include "tools/build/output_spec.h"
#include "tools/common/options.h"

namespace lade::tools {

/// Their table.
inline constexpr std::array<OptionSpec, 26> kResultOptions = {{
    {.name = "output",
     .letter = 'o',
     .value = "OUTPUT",
     .help =
         "where the result goes: TRANSPORT:REST as 'lade copy' would write it, type=TYPE,... as "
         "docker, a directory or - for the files alone",
     .repeats = true},
    {.name = "push", .help = "push the image under the names of -t; like -o type=registry"},
    {.name = "load",
     .help = "load the image into the Docker engine under the names of -t; like -o type=docker"},
    {.name = "annotation",
     .value = "[LEVEL[[PLATFORM]],...:]KEY=VALUE",
     .help = "an annotation; LEVEL is manifest, index, manifest-descriptor or index-descriptor",
     .repeats = true},
    {.name = "created-annotation",
     .help = "annotate the manifests with the time of the build",
     .optional_value = true},
    {.name = "unsetlabel", .value = "KEY", .help = "a label that the image loses", .repeats = true},
    {.name = "inherit-labels",
     .help = "keep the labels of base images (default)",
     .optional_value = true},
    {.name = "inherit-annotations",
     .help = "keep the annotations of the base image's manifest (default: false)",
     .optional_value = true},
    {.name = "unsetannotation",
     .value = "KEY",
     .help = "an annotation of the base image that --inherit-annotations leaves out",
     .repeats = true},
    {.name = "identity-label",
     .help = "label the image with the version of this program",
     .optional_value = true},
    {.name = "omit-history", .help = "leave the history out of the image"},
    {.name = "os-feature",
     .value = "FEATURE",
     .help = "a feature of the operating system that the image needs",
     .repeats = true},
    {.name = "os-version",
     .value = "VERSION",
     .help = "the version of the operating system that the image needs"},
    {.name = "squash", .help = "make one layer of those that the build makes"},
    {.name = "squash-all", .help = "make one layer of all, the base image's too"},
    {.name = "timestamp",
     .value = "SECONDS",
     .help = "the time, since 1970, of the image and of every file in the layers that are made"},
    {.name = "source-date-epoch",
     .value = "SECONDS",
     .help = "the latest time, since 1970, recorded anywhere; instead of $SOURCE_DATE_EPOCH"},
    {.name = "rewrite-timestamp",
     .help = "files in layers have no later time than SOURCE_DATE_EPOCH (default; it must be set)",
     .optional_value = true},
    {.name = "provenance",
     .value = "true|false|mode=MODE,...",
     .help = "attach a provenance (SLSA v1); MODE is min or max",
     .optional_value = true},
    {.name = "sbom", .help = "attach a list of the packages (SPDX)", .optional_value = true},
    {.name = "attest",
     .value = "type=TYPE,...",
     .help = "attach an attestation; TYPE is provenance or sbom",
     .repeats = true},
    {.name = "metadata-file",
     .value = "FILE",
     .help = "write digests, names and descriptor of the result to this file, as JSON"},
    {.name = "iidfile",
     .value = "FILE",
     .help = "write the image ID (digest of the config) to this file"},
    {.name = "iidfile-raw", .value = "FILE", .help = "the same as 64 hex digits and nothing else"},
    {.name = "digestfile",
     .value = "FILE",
     .help = "write the digest of the manifest to this file"},
    {.name = "verify-reproducible",
     .help = "build a second time without the cache, and fail at the first difference"},
}};

/// The outputs of -o, --push, --load and of names that are a transport's. Throws UsageError.
std::vector<OutputSpec> read_outputs(const Arguments& arguments);

/// Sets what belongs to the result: names, annotations, labels, times, attestations, and what all
/// outputs agree on, so that it need not be made twice. Throws UsageError.
void read_result_options(const Arguments& arguments, const std::vector<OutputSpec>& outputs,
                         build::BuildOptions& options);

}  // namespace lade::tools
