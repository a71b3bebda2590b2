// The decision table, for one rule at a time: callers, methods, paths, gRPC. Each group has policies of its own.
import { describe } from 'vitest';
import { policy } from './testing/policies.ts';
import { everybody, rule, table } from './testing/table.ts';

describe('without a policy', () => {
  describe('the installation allows', () => {
    table({}, [
      ['web.front', 'GET /', 'allow by default of the installation'],
      ['web.front', 'GRPC /shop.Orders/Get', 'allow by default of the installation'],
      ['web.front@other.example', 'GET /', 'allow by default of the installation'],
    ]);
  });
  describe('the installation denies', () => {
    table({ defaults: { installation: 'deny' } }, [
      ['web.front', 'GET /', 'deny by default of the installation'],
      ['web.shop', 'TUNNEL /chat', 'deny by default of the installation'],
    ]);
  });
  describe('the namespace has the last word', () => {
    table({ defaults: { installation: 'allow', namespace: 'deny' } }, [
      ['web.front', 'GET /', 'deny by default of namespace shop'],
      ['web.shop', 'GET /', 'deny by default of namespace shop'],
    ]);
    table({ defaults: { installation: 'deny', namespace: 'allow' } }, [
      ['web.front', 'POST /', 'allow by default of namespace shop'],
    ]);
  });
  describe('policies of others are none', () => {
    const policies = [policy({}, 'all', 'front'), policy({ apps: ['stock'] }, 'stock')];
    table({ policies }, [['web.front', 'GET /', 'allow by default of the installation']]);
  });
});

describe('callers', () => {
  const policies = [
    policy({
      rules: [
        rule('neighbour', { from: [{ app: 'web' }] }),
        rule('front', { from: [{ app: 'web', namespace: 'front' }] }),
        rule('jobs', { from: [{ app: 'job-*' }] }),
        rule('teams', { from: [{ app: 'api', namespace: 'team-*' }] }),
        rule('bank', { from: [{ namespace: 'bank' }] }),
        rule('partner', { from: [{ app: 'web', namespace: 'front', trustDomain: 'other.example' }] }),
        rule('middle', { from: [{ app: '*-gate-*', namespace: '*' }] }),
      ],
    }),
  ];
  table({ policies }, [
    ['web.shop', 'GET /', 'allow by shop/orders/neighbour'],
    ['web.front', 'GET /', 'allow by shop/orders/front'],
    ['web.back', 'GET /', 'deny by default of shop/orders'],
    ['web-2.front', 'GET /', 'deny by default of shop/orders'],
    ['we.front', 'GET /', 'deny by default of shop/orders'],
    ['job-1.shop', 'GET /', 'allow by shop/orders/jobs'],
    ['job-nightly-2.shop', 'GET /', 'allow by shop/orders/jobs'],
    ['job.shop', 'GET /', 'deny by default of shop/orders'],
    ['a-job-1.shop', 'GET /', 'deny by default of shop/orders'],
    ['job-1.front', 'GET /', 'deny by default of shop/orders'],
    ['api.team-a', 'GET /', 'allow by shop/orders/teams'],
    ['api.team-b', 'GET /', 'allow by shop/orders/teams'],
    ['api.team', 'GET /', 'deny by default of shop/orders'],
    ['web.team-a', 'GET /', 'deny by default of shop/orders'],
    ['anything.bank', 'GET /', 'allow by shop/orders/bank'],
    ['web.front@other.example', 'GET /', 'allow by shop/orders/partner'],
    ['web.shop@other.example', 'GET /', 'deny by default of shop/orders'],
    ['anything.bank@other.example', 'GET /', 'deny by default of shop/orders'],
    ['web.front@third.example', 'GET /', 'deny by default of shop/orders'],
    ['the-gate-keeper.back', 'GET /', 'allow by shop/orders/middle'],
    ['the-gate.back', 'GET /', 'deny by default of shop/orders'],
    ['orders.shop', 'GET /', 'deny by default of shop/orders'],
  ]);
});

describe('every caller', () => {
  const policies = [
    policy({ rules: [rule('read', { to: [{ methods: ['GET'] }] }), rule('all', { from: everybody })] }),
  ];
  table({ policies }, [
    ['web.front', 'GET /', 'allow by shop/orders/read'],
    ['web.front@other.example', 'GET /', 'allow by shop/orders/read'],
    ['web.front', 'POST /', 'allow by shop/orders/all'],
    ['web.front@other.example', 'POST /', 'deny by default of shop/orders'],
  ]);
});

describe('methods', () => {
  const policies = [
    policy({
      rules: [
        rule('get', { to: [{ methods: ['GET'], paths: ['/a'] }] }),
        rule('head', { to: [{ methods: ['HEAD'], paths: ['/b'] }] }),
        rule('write', { to: [{ methods: ['PUT', 'POST'], paths: ['/c'] }] }),
        rule('own-verb', { to: [{ methods: ['M-SEARCH'] }] }),
      ],
    }),
  ];
  table({ policies }, [
    ['web.front', 'GET /a', 'allow by shop/orders/get'],
    ['web.front', 'HEAD /a', 'allow by shop/orders/get'],
    ['web.front', 'TUNNEL /a', 'allow by shop/orders/get'],
    ['web.front', 'POST /a', 'deny by default of shop/orders'],
    ['web.front', 'OPTIONS /a', 'deny by default of shop/orders'],
    ['web.front', 'HEAD /b', 'allow by shop/orders/head'],
    ['web.front', 'GET /b', 'deny by default of shop/orders'],
    ['web.front', 'PUT /c', 'allow by shop/orders/write'],
    ['web.front', 'POST /c', 'allow by shop/orders/write'],
    ['web.front', 'TUNNEL /c', 'deny by default of shop/orders'],
    ['web.front', 'M-SEARCH /x', 'allow by shop/orders/own-verb'],
  ]);
  const noReading = [
    policy({ default: 'allow', rules: [rule('none', { action: 'deny', to: [{ methods: ['GET'] }] })] }),
  ];
  table({ policies: noReading }, [
    ['web.front', 'HEAD /a', 'deny by shop/orders/none'],
    ['web.front', 'TUNNEL /a', 'deny by shop/orders/none'],
    ['web.front', 'POST /a', 'allow by default of shop/orders'],
  ]);
});

describe('paths that a rule allows', () => {
  const paths = (name: string, ...templates: string[]) => rule(name, { to: [{ paths: templates }] });
  const policies = [
    policy({
      rules: [
        paths('root', '/'),
        paths('list', '/orders'),
        paths('one', '/orders/{id}'),
        paths('open', '/orders/open'),
        paths('lines', '/orders/{id}/lines/{line}'),
        paths('files', '/files/**'),
        paths('slash', '/folder/'),
        paths('named', '/{tenant}/users/**'),
      ],
    }),
  ];
  table({ policies }, [
    ['web.front', 'GET /', 'allow by shop/orders/root'],
    ['web.front', 'GET ', 'allow by shop/orders/root'],
    ['web.front', 'GET /orders', 'allow by shop/orders/list'],
    ['web.front', 'GET /orders/', 'deny by default of shop/orders'],
    ['web.front', 'GET /Orders', 'deny by default of shop/orders'],
    ['web.front', 'GET /orders-admin', 'deny by default of shop/orders'],
    ['web.front', 'GET /orders;v=1', 'deny by default of shop/orders'],
    ['web.front', 'GET /orders/7', 'allow by shop/orders/one'],
    ['web.front', 'GET /orders/open', 'allow by shop/orders/open'],
    ['web.front', 'GET /orders/7/', 'deny by default of shop/orders'],
    ['web.front', 'GET /orders/7/lines', 'deny by default of shop/orders'],
    ['web.front', 'GET /orders/7/lines/1', 'allow by shop/orders/lines'],
    ['web.front', 'GET /orders/7/../8', 'allow by shop/orders/one'],
    ['web.front', 'GET /orders/../admin', 'deny by default of shop/orders'],
    ['web.front', 'GET //orders', 'allow by shop/orders/list'],
    ['web.front', 'GET /%6Frders', 'allow by shop/orders/list'],
    ['web.front', 'GET /files', 'allow by shop/orders/files'],
    ['web.front', 'GET /files/', 'allow by shop/orders/files'],
    ['web.front', 'GET /files/a/b/c', 'allow by shop/orders/files'],
    ['web.front', 'GET /filesystem', 'deny by default of shop/orders'],
    ['web.front', 'GET /folder/', 'allow by shop/orders/slash'],
    ['web.front', 'GET /folder', 'deny by default of shop/orders'],
    ['web.front', 'GET /acme/users', 'allow by shop/orders/named'],
    ['web.front', 'GET /acme/users/7/mail', 'allow by shop/orders/named'],
    ['web.front', 'GRPC /orders/open', 'deny by default of shop/orders'],
  ]);
});

describe('paths that a rule denies', () => {
  const paths = (name: string, ...templates: string[]) => rule(name, { action: 'deny', to: [{ paths: templates }] });
  const policies = [
    policy({
      default: 'allow',
      rules: [
        paths('admin', '/admin'),
        paths('users', '/admin/users/{id}'),
        paths('secret', '/secret/**'),
        paths('cafe', '/caf%C3%A9'),
        paths('bang', '/bang!'),
        paths('versioned', '/v1;beta/x'),
      ],
    }),
  ];
  table({ policies }, [
    ['web.front', 'GET /admin', 'deny by shop/orders/admin'],
    ['web.front', 'GET /ADMIN', 'deny by shop/orders/admin'],
    ['web.front', 'GET /admin/', 'deny by shop/orders/admin'],
    ['web.front', 'GET /admin;x=1', 'deny by shop/orders/admin'],
    ['web.front', 'GET /admin%3Bx', 'deny by shop/orders/admin'],
    ['web.front', 'GET /;x/admin', 'deny by shop/orders/admin'],
    ['web.front', 'GET /admin.', 'deny by shop/orders/admin'],
    ['web.front', 'GET /admin%20/', 'deny by shop/orders/admin'],
    ['web.front', 'GET /.admin', 'allow by default of shop/orders'],
    ['web.front', 'GET /admin/users/...', 'deny by shop/orders/users'],
    ['web.front', 'GET /administrators', 'allow by default of shop/orders'],
    ['web.front', 'GET /admin/x', 'allow by default of shop/orders'],
    ['web.front', 'GET /Admin/;a/Users;b/7;c/', 'deny by shop/orders/users'],
    ['web.front', 'GET /admin/users', 'allow by default of shop/orders'],
    ['web.front', 'GET /secret', 'deny by shop/orders/secret'],
    ['web.front', 'GET /SECRET/a/b', 'deny by shop/orders/secret'],
    ['web.front', 'GET /caf%c3%a9', 'deny by shop/orders/cafe'],
    ['web.front', 'GET /CAF%C3%89', 'deny by shop/orders/cafe'],
    ['web.front', 'GET /bang%21', 'deny by shop/orders/bang'],
    ['web.front', 'GET /v1/x', 'deny by shop/orders/versioned'],
    ['web.front', 'GET /v1;beta/x', 'deny by shop/orders/versioned'],
    ['web.front', 'GRPC /admin/users', 'allow by default of shop/orders'],
  ]);
  describe('for servers that decode twice', () => {
    table({ policies }, [
      ['web.front', 'GET /%2561dmin', 'deny by shop/orders/admin'],
      ['web.front', 'GET /%2541%2564min%253Bx', 'deny by shop/orders/admin'],
      ['web.front', 'GET /secret%252fa', 'deny by shop/orders/secret'],
      ['web.front', 'GET /Secret%255Ca', 'deny by shop/orders/secret'],
      ['web.front', 'GET /admin/users%2F7', 'deny by shop/orders/users'],
      ['web.front', 'GET /admin%2Fusers%252F7', 'deny by shop/orders/users'],
      ['web.front', 'GET /admin/users/a%252Fb', 'deny by shop/orders/users'],
      ['web.front', 'GET /caf%25c3%25A9', 'deny by shop/orders/cafe'],
      ['web.front', 'GET /%2561dmin%25ff', 'allow by default of shop/orders'],
      ['web.front', 'GET /%252561dmin', 'allow by default of shop/orders'],
    ]);
  });
  describe('for servers that look for a query or parameters once they have decoded', () => {
    table({ policies }, [
      ['web.front', 'GET /admin%3Fx/y', 'deny by shop/orders/admin'],
      ['web.front', 'GET /admin%23', 'deny by shop/orders/admin'],
      ['web.front', 'GET /admin%253Fx', 'deny by shop/orders/admin'],
      ['web.front', 'GET /admin;x%2Fy', 'deny by shop/orders/admin'],
      ['web.front', 'GET /admin%2F;x', 'deny by shop/orders/admin'],
      ['web.front', 'GET /x%3F/admin', 'allow by default of shop/orders'],
    ]);
  });
});

describe('encoded slashes', () => {
  const rules = [
    rule('item', { to: [{ paths: ['/items/{id}'] }] }),
    rule('below', { to: [{ paths: ['/files/**'] }] }),
    rule('no-admin', { action: 'deny', to: [{ paths: ['/files/admin/**'] }] }),
  ];
  describe('in both readings', () => {
    table({ policies: [policy({ rules })] }, [
      ['web.front', 'GET /items/a', 'allow by shop/orders/item'],
      ['web.front', 'GET /items/a%2Fb', 'deny by default of shop/orders'],
      ['web.front', 'GET /items/a%5cb', 'deny by default of shop/orders'],
      ['web.front', 'GET /files/a%2Fb', 'allow by shop/orders/below'],
      ['web.front', 'GET /files/a%5Cb%2Fc', 'allow by shop/orders/below'],
      ['web.front', 'GET /files%2Fa', 'deny by default of shop/orders'],
      ['web.front', 'GET /files/admin%2Fx', 'deny by shop/orders/no-admin'],
      ['web.front', 'GET /files%2Fadmin', 'deny by shop/orders/no-admin'],
      ['web.front', 'GET /files/%2FADMIN%5Cx', 'deny by shop/orders/no-admin'],
      ['web.front', 'GET /files/a%252Fadmin', 'allow by shop/orders/below'],
    ]);
  });
  describe('literally', () => {
    table({ policies: [policy({ encodedSlash: 'literal', rules })] }, [
      ['web.front', 'GET /items/a%2Fb', 'allow by shop/orders/item'],
      ['web.front', 'GET /items/a%5Cb', 'allow by shop/orders/item'],
      ['web.front', 'GET /files/admin%2Fx', 'allow by shop/orders/below'],
      ['web.front', 'GET /files/admin/x', 'deny by shop/orders/no-admin'],
      ['web.front', 'GET /files%2Fadmin', 'deny by default of shop/orders'],
      ['web.front', 'GET /files/%2561dmin/x', 'deny by shop/orders/no-admin'],
      ['web.front', 'GET /files/%2561dmin%252Fx', 'allow by shop/orders/below'],
    ]);
  });
  describe('in one policy so, in another otherwise', () => {
    const policies = [
      policy({ encodedSlash: 'literal', rules: rules.slice(0, 1) }, 'literal'),
      policy({ rules: [rule('no-b', { action: 'deny', to: [{ paths: ['/items/a/b'] }] })] }, 'both'),
    ];
    table({ policies }, [
      ['web.front', 'GET /items/a%2Fc', 'allow by shop/literal/item'],
      ['web.front', 'GET /items/a%2Fb', 'deny by shop/both/no-b'],
    ]);
  });
  describe('where everything else is allowed', () => {
    const policies = [policy({ default: 'allow', rules: rules.slice(2) })];
    table({ policies }, [
      ['web.front', 'GET /a%2Fb', 'allow by default of shop/orders'],
      ['web.front', 'GET /files%5Cadmin', 'deny by shop/orders/no-admin'],
    ]);
  });
});

describe('gRPC', () => {
  const grpc = (name: string, ...methods: string[]) => rule(name, { to: [{ grpc: methods }] });
  const policies = [
    policy({
      rules: [
        grpc('get', 'shop.Orders/Get'),
        grpc('list', 'shop.Orders/List*'),
        grpc('stock', 'shop.Stock/*'),
        grpc('health', '*/Check'),
        rule('no-admin', { action: 'deny', to: [{ grpc: ['shop.*/Admin*'] }] }),
        rule('http', { to: [{ paths: ['/**'] }] }),
      ],
    }),
  ];
  table({ policies }, [
    ['web.front', 'GRPC /shop.Orders/Get', 'allow by shop/orders/get'],
    ['web.front', 'GRPC /shop.Orders/get', 'deny by default of shop/orders'],
    ['web.front', 'GRPC /shop.Orders/GetAll', 'deny by default of shop/orders'],
    ['web.front', 'GRPC /shop.Orders/ListAll', 'allow by shop/orders/list'],
    ['web.front', 'GRPC /shop.Orders/List', 'allow by shop/orders/list'],
    ['web.front', 'GRPC /shop.Stock/Put', 'allow by shop/orders/stock'],
    ['web.front', 'GRPC /shop.Stocks/Put', 'deny by default of shop/orders'],
    ['web.front', 'GRPC /any.Thing/Check', 'allow by shop/orders/health'],
    ['web.front', 'GRPC /shop.Stock/AdminDrop', 'deny by shop/orders/no-admin'],
    ['web.front', 'GRPC /Shop.stock/adminDrop', 'deny by shop/orders/no-admin'],
    ['web.front', 'GRPC /other.Stock/Put', 'deny by default of shop/orders'],
    ['web.front', 'POST /shop.Stock/AdminDrop', 'allow by shop/orders/http'],
  ]);
});
